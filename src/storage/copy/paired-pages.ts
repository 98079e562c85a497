/** What two sides have under one key; undefined: nothing. */
export interface Pair<T> {
  readonly source?: T
  readonly target?: T
}

/** Gives the next items of a side, in order of their keys; none: there are no more. */
export type NextPage<T> = (after: T | undefined) => Promise<readonly T[]>

/** Walks one side page by page. */
class Side<T> {
  private page: readonly T[] = []
  private at = 0
  private isAtEnd = false

  constructor(
    private readonly nextPage: NextPage<T>,
    private last: T | undefined,
  ) {}

  get current(): T | undefined {
    return this.page[this.at]
  }

  /** Whether it must be asked for more before it can be said what comes next. */
  get isDry(): boolean {
    return this.at === this.page.length && !this.isAtEnd
  }

  async fill(): Promise<void> {
    if (!this.isDry) return
    this.page = await this.nextPage(this.last)
    this.at = 0
    this.isAtEnd = this.page.length === 0
  }

  step(): void {
    this.last = this.current
    this.at++
  }
}

/**
 * Walks two sides together and puts side by side what has one key.
 * @param after begin behind this one
 */
export async function* pairPages<T>(
  source: NextPage<T>,
  target: NextPage<T>,
  compareKeys: (a: T, b: T) => number,
  after?: T,
): AsyncGenerator<Pair<T>[]> {
  const left = new Side(source, after)
  const right = new Side(target, after)
  for (;;) {
    await Promise.all([left.fill(), right.fill()])
    const pairs: Pair<T>[] = []
    while (!left.isDry && !right.isDry) {
      const pair = nextPair(left.current, right.current, compareKeys)
      if (pair === undefined) break
      if (pair.source !== undefined) left.step()
      if (pair.target !== undefined) right.step()
      pairs.push(pair)
    }
    if (pairs.length === 0) return
    yield pairs
  }
}

function nextPair<T>(
  source: T | undefined,
  target: T | undefined,
  compareKeys: (a: T, b: T) => number,
): Pair<T> | undefined {
  if (source === undefined) return target === undefined ? undefined : { target }
  if (target === undefined) return { source }
  const order = compareKeys(source, target)
  if (order === 0) return { source, target }
  return order < 0 ? { source } : { target }
}

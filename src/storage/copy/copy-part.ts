/** Told how a step gets on; shows it to whoever waits. */
export interface CopyProgress {
  /** @param total how many units there are */
  begin(step: string, total: number, unit: string): void
  advance(by: number): void
  end(): void
}

/** How much there is, as far as it is known before anything is copied. */
export interface PartExtent {
  /** Of the source. */
  readonly total: number
  /** So many of them are in the target. */
  readonly present: number
}

/** What one side has, read back from it. */
export interface SideDigest {
  readonly count: number
  /** SHA-256 in lower-case hex over everything in the order of its keys. */
  readonly sha256: string
}

/** What came of comparing both sides. */
export interface PartReport {
  readonly name: string
  readonly unit: string
  readonly source: SideDigest
  readonly target: SideDigest
  /** In words, each naming what differs; the first ones. */
  readonly differences: readonly string[]
  readonly differenceCount: number
  /** What is not as it should be, but was so before and is so on both sides; the first ones. */
  readonly warnings: readonly string[]
}

export function isSame({ differenceCount, source, target }: PartReport): boolean {
  return differenceCount === 0 && source.count === target.count && source.sha256 === target.sha256
}

/** Something that is copied as one: a table, the positions, the objects. */
export interface CopyPart {
  readonly name: string
  /** What is counted, such as `rows`. */
  readonly unit: string
  /**
   * Looks at what the target has, and writes nothing.
   * @throws ForeignDataError it has what the source does not
   */
  look(progress: CopyProgress): Promise<PartExtent>
  /** Copies what {@link look} found missing. May be ended at any point and begun again with another look. */
  copy(progress: CopyProgress): Promise<void>
  /** Reads both sides and compares everything. */
  verify(progress: CopyProgress): Promise<PartReport>
}

/** The target has what the source does not; nothing may be written into it. */
export class ForeignDataError extends Error {
  override readonly name = 'ForeignDataError'
  readonly exitCode = 1

  /** @param what it is, and where */
  constructor(what: string) {
    super(
      `the target has what the source does not: ${what}. Nothing was changed; empty the target and begin again, or name another one`,
    )
  }
}

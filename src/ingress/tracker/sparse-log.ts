const EVERY_MS = 5000

/** One line now and then for what may come thousands of times a second. */
export class SparseLog<Fields extends object> {
  private untold = 0
  private toldAtMs = Number.NEGATIVE_INFINITY

  /** @param write takes the fields of one, and how many others there were since the line before */
  constructor(
    private readonly write: (fields: Fields & { readonly others: number }) => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  tell(fields: Fields): void {
    const now = this.now()
    if (now - this.toldAtMs < EVERY_MS) {
      this.untold += 1
      return
    }
    this.toldAtMs = now
    const others = this.untold
    this.untold = 0
    this.write({ ...fields, others })
  }
}

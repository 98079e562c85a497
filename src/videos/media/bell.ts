/** Wakes those who wait for something to do. */
export class Bell {
  private rings = 0
  private readonly waiting = new Set<() => void>()

  /** What a waiter hands over, so that no ring between looking and waiting is missed. */
  get count(): number {
    return this.rings
  }

  ring(): void {
    this.rings += 1
    for (const wake of [...this.waiting]) wake()
  }

  /**
   * Ends at the next ring, or at once if there was one since the count, or when the time is over.
   * @param since a {@link count} from before the look that found nothing to do
   */
  wait(since: number, limitMs: number): Promise<void> {
    if (this.rings !== since) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = () => {
        this.waiting.delete(wake)
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(wake, limitMs).unref()
      this.waiting.add(wake)
    })
  }
}

/** Does so many things at the same time and no more, in the order of asking. */
export class Slots {
  private readonly waiting: Array<() => void> = []
  private free: number

  constructor(count: number) {
    this.free = count
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free--
    else await new Promise<void>((resolve) => this.waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = this.waiting.shift()
      // The place is handed on: whoever asks now comes after those who wait.
      if (next === undefined) this.free++
      else next()
    }
  }
}

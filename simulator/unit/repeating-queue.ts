import type { CourierQueue } from './courier.js'

/** Has each item carried so many times before it is settled, as a unit does that cannot stop itself. */
export class RepeatingQueue<T> implements CourierQueue<T> {
  private readonly left = new Map<T, number>()

  constructor(
    private readonly queue: CourierQueue<T>,
    private readonly timesOf: (item: T) => number,
  ) {}

  get pending(): number {
    return this.queue.pending
  }

  take(): T | undefined {
    return this.queue.take()
  }

  giveBack(item: T): void {
    this.queue.giveBack(item)
  }

  settle(item: T): void {
    const left = (this.left.get(item) ?? this.timesOf(item)) - 1
    if (left > 0) {
      this.left.set(item, left)
      this.queue.giveBack(item)
    } else {
      this.left.delete(item)
      this.queue.settle(item)
    }
  }
}

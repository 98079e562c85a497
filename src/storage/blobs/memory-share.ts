/** What all appends together keep in memory while it is not a part yet; and once more when many have just begun. */
const MOST_BYTES = 134_217_728
const SLOTS = 16

/**
 * The memory and the connections that appends share. Who holds more than a fair share when there is little left puts it on the
 * server; nobody waits for another one's slow line.
 */
export class MemoryShare {
  private heldBytes = 0
  private users = 0
  private taken = 0
  private readonly waiting: Array<() => void> = []

  constructor(
    private readonly mostBytes = MOST_BYTES,
    private readonly slots = SLOTS,
  ) {}

  enter(): void {
    this.users++
  }

  leave(): void {
    this.users--
  }

  hold(bytes: number): void {
    this.heldBytes += bytes
  }

  release(bytes: number): void {
    this.heldBytes -= bytes
  }

  /** Whether somebody who holds so many bytes must let go of them. */
  isPressed(ownBytes: number): boolean {
    return this.heldBytes >= this.mostBytes && ownBytes * this.users >= this.mostBytes
  }

  /** Does something that takes memory for a part and a connection, when there is room for it. */
  async inSlot<T>(act: () => Promise<T>): Promise<T> {
    if (this.taken < this.slots) this.taken++
    else await new Promise<void>((resolve) => this.waiting.push(resolve))
    try {
      return await act()
    } finally {
      const next = this.waiting.shift()
      if (next === undefined) this.taken--
      else next()
    }
  }
}

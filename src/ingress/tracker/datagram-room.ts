/** How much of datagrams may be under way, of all listeners together. */
export class DatagramRoom {
  private count = 0
  private bytes = 0

  constructor(
    private readonly mostCount: number,
    private readonly mostBytes: number,
  ) {}

  /** @returns false: there is no place for it, and nothing was counted */
  enter(bytes: number): boolean {
    if (this.count >= this.mostCount || this.bytes + bytes > this.mostBytes) return false
    this.count += 1
    this.bytes += bytes
    return true
  }

  leave(bytes: number): void {
    this.count -= 1
    this.bytes -= bytes
  }
}

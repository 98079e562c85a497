import type { DeviceId } from '../model/device-id.js'

/**
 * Does one thing for many devices: for each never twice at the same time, for all together at most so many at once, in the order in
 * which they were asked for. Asked for while it is done, it is done once more.
 */
export class DeviceTurns {
  private readonly waiting = new Set<DeviceId>()
  /** Whether it was asked for meanwhile. */
  private readonly running = new Map<DeviceId, boolean>()
  private isStopped = false

  /** @param take must not throw */
  constructor(
    private readonly most: number,
    private readonly take: (deviceId: DeviceId) => Promise<void>,
  ) {}

  ask(deviceId: DeviceId): void {
    if (this.isStopped) return
    if (this.running.has(deviceId)) this.running.set(deviceId, true)
    else this.waiting.add(deviceId)
    this.next()
  }

  /** Whether it was asked for since it began for this device. */
  isAskedAgain(deviceId: DeviceId): boolean {
    return this.running.get(deviceId) ?? false
  }

  /** Nothing begins any more. */
  stop(): void {
    this.isStopped = true
    this.waiting.clear()
  }

  private next(): void {
    for (const deviceId of this.waiting) {
      if (this.running.size >= this.most) return
      this.waiting.delete(deviceId)
      this.running.set(deviceId, false)
      void this.run(deviceId)
    }
  }

  private async run(deviceId: DeviceId): Promise<void> {
    await this.take(deviceId)
    const again = this.running.get(deviceId)
    this.running.delete(deviceId)
    if (again && !this.isStopped) this.waiting.add(deviceId)
    this.next()
  }
}

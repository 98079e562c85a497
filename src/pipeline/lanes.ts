import type { DeviceId } from '../model/device-id.js'

/**
 * One lane per device. Reports of a device enter the commit queue in arrival order and leave it in that order, since the queue is
 * first-in first-out with one batch under way; the lane bounds how much of the queue one device may hold, so that a unit that
 * floods is refused before others are.
 */
export class Lanes {
  private readonly waiting = new Map<DeviceId, number>()

  /** @param maxPerDevice positions of one device that may wait */
  constructor(private readonly maxPerDevice: number) {}

  /** @returns false: the lane is full, nothing was counted */
  enter(deviceId: DeviceId, positions: number): boolean {
    const waiting = (this.waiting.get(deviceId) ?? 0) + positions
    if (waiting > this.maxPerDevice) return false
    this.waiting.set(deviceId, waiting)
    return true
  }

  leave(deviceId: DeviceId, positions: number): void {
    const waiting = (this.waiting.get(deviceId) ?? 0) - positions
    if (waiting > 0) this.waiting.set(deviceId, waiting)
    else this.waiting.delete(deviceId)
  }
}

import { LRUCache } from 'lru-cache'
import { AppError } from '../model/app-error.js'
import type { DeviceId } from '../model/device-id.js'

/**
 * Says whether a device is let in.
 * @throws AppError `store_unavailable` | `overloaded` | `disk_full` | `too_many_requests`: it cannot be known now
 */
export type Admit = (deviceId: DeviceId, address: string) => Promise<boolean>

/** Entries of devices that nobody could look up: whoever sends in other names must not fill the spool of those who are known. */
const MOST_ENTRIES = 10_000
/**
 * So long nobody is asked about a device that was refused: of each entry of a stranger the limits of logins would be charged. Nor about
 * one that cannot be let in since too many of its address were refused: each question costs a look into the registry.
 */
const REFUSED_FOR_MS = 30_000
const RETRY_AFTER_MS = 2000

/** The entries whose senders are to be let in first. */
export class SpoolAdmission {
  private entries = 0
  /** As the next: of as many as may wait. One that is forgotten is only asked about sooner. */
  private readonly refusedUntilMs = new LRUCache<DeviceId, number>({ max: MOST_ENTRIES })
  private readonly heldUntilMs = new LRUCache<DeviceId, number>({ max: MOST_ENTRIES })
  private admit: Admit = async () => {
    throw new AppError('store_unavailable', 'Nobody can say yet who is let in')
  }

  constructor(private readonly now: () => number = () => performance.now()) {}

  onAdmission(admit: Admit): void {
    this.admit = admit
  }

  /** @throws AppError `overloaded` */
  assertRoom(): void {
    if (this.entries < MOST_ENTRIES) return
    throw new AppError('overloaded', 'Too much waits of devices that cannot be looked up now', {
      retryAfterMs: RETRY_AFTER_MS,
    })
  }

  /** One more waits. */
  add(): void {
    this.entries += 1
  }

  /** One of them is gone. What an earlier process left was not counted. */
  remove(): void {
    this.entries = Math.max(0, this.entries - 1)
  }

  /** None waits. */
  clear(): void {
    this.entries = 0
    this.refusedUntilMs.clear()
    this.heldUntilMs.clear()
  }

  /** @throws AppError: it cannot be known now */
  async isLetIn(deviceId: DeviceId, address: string): Promise<boolean> {
    if (this.isBefore(this.refusedUntilMs.get(deviceId))) return false
    if (this.isBefore(this.heldUntilMs.get(deviceId))) throw tooMany()
    const isLetIn = await this.ask(deviceId, address)
    if (isLetIn) this.refusedUntilMs.delete(deviceId)
    else this.refusedUntilMs.set(deviceId, this.now() + REFUSED_FOR_MS)
    return isLetIn
  }

  private async ask(deviceId: DeviceId, address: string): Promise<boolean> {
    this.heldUntilMs.delete(deviceId)
    try {
      return await this.admit(deviceId, address)
    } catch (error) {
      if (error instanceof AppError && error.code === 'too_many_requests')
        this.heldUntilMs.set(deviceId, this.now() + Math.min(error.retryAfterMs ?? REFUSED_FOR_MS, REFUSED_FOR_MS))
      throw error
    }
  }

  private isBefore(untilMs = Number.NEGATIVE_INFINITY): boolean {
    return this.now() < untilMs
  }
}

function tooMany(): AppError {
  return new AppError('too_many_requests', 'Too many of that address were refused')
}

import type { Delivery } from '../model/delivery.js'
import type { DeviceId } from '../model/device-id.js'
import type { DeliveryIngest } from './delivery-ingest.js'

export interface Attempt {
  readonly delivery: Delivery
  /** Whether the stores have taken it, once they have said so; never rejects. */
  readonly ended: Promise<boolean>
}

interface Waiting extends Attempt {
  readonly timer: NodeJS.Timeout
  resolve(outcome: 'stored' | 'kept'): void
  reject(error: unknown): void
}

/** Longer than the stores take, and short enough that little waits in memory alone. */
const SETTLED_WITHIN_MS = 1000

/** Deliveries on their straight way to the stores. */
export class DirectAttempts {
  private readonly lanes = new Map<DeviceId, Set<Waiting>>()
  /** Those that were given up, and that the stores may take all the same. */
  private readonly late = new Set<Attempt>()

  /**
   * @param keep keeps what the stores did not take in time, of one device and in its order; it is called before anything newer of the
   * device can be
   */
  constructor(
    private readonly ingest: Pick<DeliveryIngest, 'settle'>,
    private readonly keep: (attempts: readonly Attempt[]) => Promise<void>,
    private readonly withinMs = SETTLED_WITHIN_MS,
  ) {}

  /** @throws whatever {@link keep} throws, when the stores do not take it either */
  settle(delivery: Delivery): Promise<'stored' | 'kept'> {
    return new Promise((resolve, reject) => {
      const ended = this.ingest.settle(delivery).then(
        () => true,
        () => false,
      )
      const timer = setTimeout(() => this.giveUp(attempt), this.withinMs)
      const attempt: Waiting = { delivery, ended, timer, resolve, reject }
      this.enter(attempt)
      void ended.then((isStored) => {
        if (!isStored) this.giveUp(attempt)
        else if (this.leave(attempt)) resolve('stored')
      })
    })
  }

  /** Resolves when nothing that was given up of the device is on its way to the stores any more. */
  async left(deviceId: DeviceId): Promise<void> {
    const ofDevice = [...this.late].filter(({ delivery }) => delivery.deviceId === deviceId)
    await Promise.all(ofDevice.map(({ ended }) => ended))
  }

  private enter(attempt: Waiting): void {
    const { deviceId } = attempt.delivery
    const lane = this.lanes.get(deviceId)
    if (lane === undefined) this.lanes.set(deviceId, new Set([attempt]))
    else lane.add(attempt)
  }

  /** @returns false: it had left before */
  private leave(attempt: Waiting): boolean {
    const { deviceId } = attempt.delivery
    const lane = this.lanes.get(deviceId)
    const wasThere = lane?.delete(attempt) ?? false
    if (lane?.size === 0) this.lanes.delete(deviceId)
    clearTimeout(attempt.timer)
    return wasThere
  }

  /** With it goes what its device said after it, which would overtake it otherwise. */
  private giveUp(attempt: Waiting): void {
    const lane = [...(this.lanes.get(attempt.delivery.deviceId) ?? [])]
    const place = lane.indexOf(attempt)
    const moved = place === -1 ? [] : lane.slice(place)
    for (const one of moved) {
      this.leave(one)
      this.late.add(one)
      void one.ended.then(() => this.late.delete(one))
    }
    if (moved.length > 0) void this.move(moved)
  }

  private async move(attempts: readonly Waiting[]): Promise<void> {
    try {
      await this.keep(attempts)
      for (const { resolve } of attempts) resolve('kept')
    } catch (error) {
      for (const { ended, resolve, reject } of attempts)
        void ended.then((isStored) => (isStored ? resolve('stored') : reject(error)))
    }
  }
}

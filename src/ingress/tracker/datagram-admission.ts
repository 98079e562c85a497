import { LRUCache } from 'lru-cache'
import type { DeviceIdentity } from '../../identity/device-directory.js'
import type { TrackerDoor } from '../../identity/tracker-door.js'
import { AppError } from '../../model/app-error.js'
import { type TrackerDevice, toTrackerDevice } from './tracker-device.js'
import { Turnstile } from './turnstile.js'

/**
 * The store is asked about so many senders at a time, and so many a second, whoever makes them up: a fleet of thousands is known within
 * seconds of a start, and nobody else notices a flood.
 */
const ASKED = { atOnce: 8, perSecond: 500, waiting: 1024 } as const
/** Whoever does not say within this who is let in is away. */
const ANSWERED_WITHIN_MS = 1000
/** Then he is asked again after this, about one sender. */
const ASKED_AGAIN_MS = 1500
/** Who was refused is not asked about again for so long. Who is registered meanwhile is in memory, and let in at once. */
const REFUSED_MS = 5000
const MOST_REFUSED = 10_000

/** Who a datagram is from. */
export type DatagramSender =
  | { readonly is: 'known'; readonly device: TrackerDevice }
  /** Not let in; which of the reasons it is, is told to nobody. */
  | { readonly is: 'refused' }
  /** Whoever knows cannot be asked now. */
  | { readonly is: 'unasked' }

const REFUSED: DatagramSender = { is: 'refused' }
const UNASKED: DatagramSender = { is: 'unasked' }

/**
 * Lets the senders of datagrams in. A sender is looked at with each datagram, from memory alone once it is known, so that one that is
 * disabled is refused from then on. While the store is away nobody waits for it but one who tries whether it is back: what waits takes
 * the place of those who are known.
 */
export class DatagramAdmission {
  private readonly refused = new LRUCache<string, true>({ max: MOST_REFUSED, ttl: REFUSED_MS })
  private readonly asking = new Turnstile(ASKED)
  /** Undefined: it is not. */
  private awayUntilMs: number | undefined

  constructor(
    private readonly door: Pick<TrackerDoor, 'recall' | 'admitUnanswered'>,
    /** Whether it can be a device's at all; nobody is asked about what cannot. */
    private readonly isImei: (imei: string) => boolean,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** From memory. */
  recall(imei: string): TrackerDevice | undefined {
    const device = this.door.recall(imei)
    return device === undefined ? undefined : this.toDevice(device)
  }

  /** @throws AppError `overloaded` | `too_many_requests`: it is refused for now */
  async admit(imei: string, address: string): Promise<DatagramSender> {
    const device = this.recall(imei)
    if (device !== undefined) return { is: 'known', device }
    if (!this.isImei(imei)) return REFUSED
    if (this.refused.has(imei) || this.refused.has(pairOf(imei, address))) return REFUSED
    if (this.isAway) return UNASKED
    const answer = await this.asking.enter()
    if (answer === 'closed') return UNASKED
    if (answer === 'full') throw new AppError('overloaded', 'Too many senders that nobody knows')
    try {
      // Who was in line when somebody found out need not do so again.
      return this.isAway ? UNASKED : await this.askInTime(imei, address)
    } finally {
      this.asking.leave()
    }
  }

  /** Nobody is asked any more. */
  stop(): void {
    this.asking.close()
  }

  private get isAway(): boolean {
    return this.awayUntilMs !== undefined && this.now() < this.awayUntilMs
  }

  /** Not longer than one can wait for it. What is answered later is remembered all the same. */
  private async askInTime(imei: string, address: string): Promise<DatagramSender> {
    // Of many who could try whether it is back, one does.
    if (this.awayUntilMs !== undefined) this.goAway(ANSWERED_WITHIN_MS + ASKED_AGAIN_MS)
    let timer: NodeJS.Timeout | undefined
    let isLate = false
    const tooLate = new Promise<DatagramSender>((resolve) => {
      timer = setTimeout(() => {
        isLate = true
        this.goAway(ASKED_AGAIN_MS)
        resolve(UNASKED)
      }, ANSWERED_WITHIN_MS)
    })
    try {
      return await Promise.race([this.ask(imei, address, () => isLate), tooLate])
    } finally {
      clearTimeout(timer)
    }
  }

  private goAway(forMs: number): void {
    this.awayUntilMs = this.now() + forMs
  }

  private async ask(imei: string, address: string, isLate: () => boolean): Promise<DatagramSender> {
    try {
      const device = await this.door.admitUnanswered(imei, address)
      this.awayUntilMs = undefined
      if (device !== undefined) return { is: 'known', device: this.toDevice(device) }
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      // Whoever refuses has answered. Who said nothing in time says no more of now: another may have been answered meanwhile.
      if (error.code !== 'store_unavailable') this.awayUntilMs = undefined
      else if (!isLate()) this.goAway(ASKED_AGAIN_MS)
      if (error.code !== 'too_many_requests') return UNASKED
      // Of this address alone: whoever claims another one must not shut out the device itself.
      this.refused.set(pairOf(imei, address), true)
      throw error
    }
    this.refused.set(imei, true)
    return REFUSED
  }

  private toDevice(device: DeviceIdentity): TrackerDevice {
    return toTrackerDevice(device, (deviceId) => this.door.recall(deviceId))
  }
}

function pairOf(imei: string, address: string): string {
  return `${imei} ${address}`
}

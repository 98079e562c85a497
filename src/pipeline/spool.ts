import { setImmediate as nextTurn } from 'node:timers/promises'
import { Logger } from '@nestjs/common'
import type { Metrics } from '../metrics/metrics.js'
import { AppError } from '../model/app-error.js'
import type { Delivery } from '../model/delivery.js'
import type { DeviceId } from '../model/device-id.js'
import type { DiskGuard } from '../storage/disk-guard.js'
import type { QuarantineStore } from '../storage/quarantine/quarantine-store.js'
import type { NewSpooledEntry, SpooledEntry, SpoolStore } from '../storage/spool/spool-store.js'
import { toRefusal } from './commit-queue.js'
import type { DeliveryIngest } from './delivery-ingest.js'
import { DirectAttempts } from './direct-attempts.js'
import { type Admit, SpoolAdmission } from './spool-admission.js'
import { type DrainAnswer, SpoolDrain } from './spool-drain.js'
import { decodeDelivery, encodeDelivery, type SpooledDelivery, type Unadmitted } from './spooled-delivery.js'
import { type Limits, validate } from './validate.js'

export interface SpoolContext {
  readonly limits: Limits
  readonly metrics: Metrics
  /** What the stores have not taken by then is kept. */
  readonly settleWithinMs?: number
}

/** What became of an entry. */
type DrainOutcome = 'stored' | 'refused' | 'quarantined'

/** What is to be kept. */
interface Keeping extends SpooledDelivery {
  /** Whether the stores have taken it all the same. */
  readonly ended?: Promise<boolean>
}

const LOG_EVERY_MS = 10_000
/** What ails an entry now, and not for ever. */
const PASSING: ReadonlySet<string> = new Set(['store_unavailable', 'overloaded', 'disk_full', 'too_many_requests'])
/** In quarantine, of what can never be stored. */
const UNSTORABLE = 'internal'

/**
 * Where senders that never resend leave what they say. As long as the stores work it goes straight there; what they do not take within a
 * second waits on the local disk and goes on from there, once, in each device's order, also after a crash: everything on the way bears
 * repeats. Memory knows only how much waits of which device. Kept is not stored: only what is `stored` may be acknowledged.
 */
export class Spool {
  private readonly logger = new Logger('spool')
  private readonly attempts: DirectAttempts
  private readonly drainer: SpoolDrain
  /** Entries of each device that are in the spool or on their way into it. */
  private readonly waiting = new Map<DeviceId, number>()
  /** Entries that were on their straight way to the stores when they were kept. */
  private readonly late = new Map<number, Promise<boolean>>()
  private readonly underWay = new Map<Promise<unknown>, DeviceId>()
  private keepings = 0
  private readonly admission = new SpoolAdmission()
  private isStopping = false
  private readonly loggedAtMs = new Map<string, number>()

  constructor(
    private readonly store: SpoolStore,
    private readonly ingest: Pick<DeliveryIngest, 'settle'>,
    private readonly quarantine: Pick<QuarantineStore, 'keep'>,
    private readonly disk: Pick<DiskGuard, 'assertWritable'>,
    private readonly context: SpoolContext,
  ) {
    this.attempts = new DirectAttempts(ingest, (attempts) => this.keep(attempts), context.settleWithinMs)
    this.drainer = new SpoolDrain(store, {
      settle: (entry) => this.settleEntry(entry),
      countDevices: () => this.waiting.size,
      removed: (entries) => this.removed(entries),
    })
    context.metrics.watchSpool(() => store.state())
  }

  /** Who is asked about devices that could not be looked up when they sent. Refusals are counted here. */
  onAdmission(admit: Admit): void {
    this.admission.onAdmission(admit)
  }

  /** Learns what an earlier process left. Call it before anything comes in. */
  async load(): Promise<void> {
    for (const [deviceId, entries] of await this.store.countByDevice()) this.expect(deviceId, entries)
  }

  /** From now on what waits is drained. */
  start(): void {
    if (this.waiting.size > 0) this.drainer.wake()
  }

  /** Nothing is drained any more; what still comes in is kept. Resolves when no entry is on its way to the stores. */
  async stop(): Promise<void> {
    this.isStopping = true
    await this.drainer.stop()
  }

  /** Resolves when everything that came in is stored, kept or refused. */
  async drain(): Promise<void> {
    do {
      await Promise.allSettled(this.underWay.keys())
      // Who waited for one brings the next, of what had come before.
      await nextTurn()
    } while (this.underWay.size > 0)
  }

  /**
   * Resolves when every record is settled (`stored`), or when the delivery is on the local disk and will be (`kept`).
   * @param unadmitted the device could not be looked up: what it says is kept, and settled only once it is let in
   * @throws AppError `overloaded` | `disk_full` | `store_unavailable`: neither, and nothing of it may be acknowledged
   */
  settleOrKeep(delivery: Delivery, unadmitted?: Unadmitted): Promise<'stored' | 'kept'> {
    const outcome = this.take({ delivery, unadmitted }).catch((error: unknown) => this.refuse(error))
    this.underWay.set(outcome, delivery.deviceId)
    const ended = () => this.underWay.delete(outcome)
    outcome.then(ended, ended)
    return outcome
  }

  /** Removes what waits of the device, for good. Resolves when nothing of it is on its straight way to the stores either. */
  async eraseDevice(deviceId: DeviceId): Promise<void> {
    const ofDevice = [...this.underWay].filter(([, id]) => id === deviceId)
    await Promise.allSettled(ofDevice.map(([outcome]) => outcome))
    await this.attempts.left(deviceId)
    await this.drainer.without(deviceId, async () => {
      await this.store.eraseDevice(deviceId)
      this.waiting.delete(deviceId)
    })
  }

  /** What a person is to know of it; undefined: nothing waits. @throws AppError `store_unavailable` when nothing could be kept now */
  async checkHealth(): Promise<string | undefined> {
    await this.store.checkHealth()
    const { entries, oldestAtMs } = this.store.state()
    if (oldestAtMs === null) return undefined
    const seconds = Math.max(0, Math.round((Date.now() - oldestAtMs) / 1000))
    return `${entries} messages wait for their store, the oldest for ${seconds} s`
  }

  private async take({ delivery, unadmitted }: SpooledDelivery): Promise<'stored' | 'kept'> {
    const goesBehind = this.isStopping || this.waiting.has(delivery.deviceId)
    if (unadmitted === undefined && !goesBehind) return this.attempts.settle(delivery)
    await this.keep([{ delivery, unadmitted }])
    return 'kept'
  }

  /** Deliveries of one device. Nothing is waited for before the store has them: in this order they are kept. */
  private async keep(said: readonly Keeping[]): Promise<void> {
    const [first] = said
    if (first === undefined) return
    const { deviceId, ingress } = first.delivery
    this.expect(deviceId, said.length)
    this.keepings += 1
    let kept = 0
    try {
      const ids = await this.store.keep(said.map((one) => this.entryOf(one)))
      kept = this.noteKept(said, ids)
      this.context.metrics.spoolKept.inc({ ingress }, kept)
    } finally {
      this.keepings -= 1
      this.expect(deviceId, kept - said.length)
      // Also when it failed: what was kept all the same is found by looking.
      this.drainer.wake()
    }
    if (this.mayLog('waiting')) this.logger.warn({ event: 'spool_waiting', entries: this.store.state().entries })
  }

  private entryOf({ delivery, unadmitted }: Keeping): NewSpooledEntry {
    this.disk.assertWritable()
    if (unadmitted !== undefined) this.admission.assertRoom()
    const rawIndexes = validate(delivery, this.context.limits).rejected.map(({ index }) => index)
    const encoded = encodeDelivery({ delivery, unadmitted }, rawIndexes)
    return { deviceId: delivery.deviceId, keptAtMs: Date.now(), ...encoded }
  }

  /** @returns how many are new */
  private noteKept(said: readonly Keeping[], ids: ReadonlyArray<number | undefined>): number {
    let kept = 0
    said.forEach(({ ended, unadmitted }, index) => {
      const id = ids[index]
      if (id === undefined) return
      kept += 1
      if (unadmitted !== undefined) this.admission.add()
      if (ended !== undefined) this.watchLate(id, ended)
    })
    return kept
  }

  /** The straight way may still lead to the store: then the entry need not go it again. */
  private watchLate(id: number, ended: Promise<boolean>): void {
    this.late.set(id, ended)
    void ended.then((isStored) => {
      if (!isStored) this.late.delete(id)
    })
  }

  /** Never throws. */
  private async settleEntry(entry: SpooledEntry): Promise<DrainAnswer> {
    const outcome = (await this.late.get(entry.id)) ? 'stored' : await this.trySettle(entry)
    if (outcome === 'away' || outcome === 'held') return outcome
    this.context.metrics.spoolDrained.inc({ outcome })
    return 'settled'
  }

  private async trySettle(entry: SpooledEntry): Promise<DrainOutcome | 'away' | 'held'> {
    try {
      const spooled = decodeDelivery(entry.body)
      const isLetIn = await this.letIn(spooled)
      if (isLetIn) await this.ingest.settle(spooled.delivery)
      if (spooled.unadmitted !== undefined) this.admission.remove()
      return isLetIn ? 'stored' : 'refused'
    } catch (error) {
      if (isPassing(error)) return error.code === 'too_many_requests' ? 'held' : 'away'
      return (await this.setAside(entry, error)) ? 'quarantined' : 'away'
    }
  }

  private async letIn({ delivery: { deviceId, ingress }, unadmitted }: SpooledDelivery): Promise<boolean> {
    if (unadmitted === undefined || (await this.admission.isLetIn(deviceId, unadmitted.address))) return true
    this.context.metrics.refusals.inc({ ingress, code: 'login_refused' })
    return false
  }

  /** It must not hold up the rest. @returns false: the quarantine does not take it now */
  private async setAside({ deviceId, keptAtMs, body }: SpooledEntry, error: unknown): Promise<boolean> {
    try {
      await this.quarantine.keep([{ deviceId, ingress: 'spool', code: UNSTORABLE, receivedAtMs: keptAtMs, raw: body }])
    } catch {
      return false
    }
    this.context.metrics.quarantined.inc({ code: UNSTORABLE })
    const reason = error instanceof Error ? error.message : String(error)
    this.logger.error({ event: 'spool_entry_unstorable', deviceId, reason })
    return true
  }

  private removed(entries: readonly SpooledEntry[]): void {
    for (const { id, deviceId } of entries) {
      this.late.delete(id)
      this.expect(deviceId, -1)
    }
    if (entries.length === 0 || this.store.state().entries > 0 || this.keepings > 0) return
    // Whatever was counted of a keeping whose fate was not known.
    this.waiting.clear()
    this.late.clear()
    this.admission.clear()
    this.logger.log({ event: 'spool_empty' })
  }

  private expect(deviceId: DeviceId, change: number): void {
    const entries = (this.waiting.get(deviceId) ?? 0) + change
    if (entries > 0) this.waiting.set(deviceId, entries)
    else this.waiting.delete(deviceId)
  }

  private refuse(error: unknown): never {
    const refusal = isPassing(error) ? error : toRefusal(error)
    this.context.metrics.spoolRefused.inc({ reason: refusal.code })
    if (this.mayLog('refused'))
      this.logger.error({ event: 'spool_refused', code: refusal.code, reason: refusal.message })
    throw refusal
  }

  private mayLog(what: string): boolean {
    const now = performance.now()
    if (now - (this.loggedAtMs.get(what) ?? Number.NEGATIVE_INFINITY) < LOG_EVERY_MS) return false
    this.loggedAtMs.set(what, now)
    return true
  }
}

function isPassing(error: unknown): error is AppError {
  return error instanceof AppError && PASSING.has(error.code)
}

import type { Clock } from './clock.js'
import type { AlarmWatch } from './drives/alarm-watch.js'
import type { Plan } from './drives/plan.js'
import type { Journal } from './unit/journal.js'
import type { Tally } from './unit/tally.js'
import type { UnitClient, UnitEnd } from './unit/unit-client.js'
import type { UnitDuties } from './unit-duties.js'

export interface TruckParts {
  readonly deviceId: string
  readonly client: UnitClient
  readonly duties: UnitDuties
  /** Without, no alarms are raised. */
  readonly watch?: AlarmWatch
  readonly plan: Plan
  /** Equal for equal plans: a journal of another plan is sent to its end, and the plan begun anew. */
  readonly planKey: string
  readonly journal?: Journal
  readonly clock: Clock
}

/** How a truck's part of the simulation ended. `done`: its plan is at its end and every record settled. */
export type TruckEnd = { readonly kind: 'done' } | UnitEnd

/** A truck: a unit that records what its plan says, when it says so. */
export class Truck {
  private readonly stopping = new AbortController()
  /** Records of the plan that a run before this one has made. */
  private readonly stepsBefore: number
  /** Records to be settled in this run; Infinity for a live plan. */
  readonly total: number

  constructor(private readonly parts: TruckParts) {
    const { journal, planKey } = parts
    this.stepsBefore = journal?.run?.plan === planKey ? journal.nextSeq - journal.run.firstSeq : 0
    this.total = parts.client.pending + Math.max(0, parts.plan.length - this.stepsBefore)
  }

  get deviceId(): string {
    return this.parts.deviceId
  }

  get tally(): Tally {
    return this.parts.client.tally
  }

  get isConnected(): boolean {
    return this.parts.client.isConnected
  }

  /** Records not settled. */
  get pending(): number {
    return this.parts.client.pending
  }

  /** Alarms, clips and commands that are not over. */
  get pendingDuties(): number {
    return this.parts.duties.pending
  }

  /** Whether every record of the plan has been made and settled, and everything else is over. */
  get isDone(): boolean {
    return this.parts.client.isSettled && this.tally.settled >= this.total
  }

  /** Rejects when records can no longer be kept, as on a full disk. */
  async run(): Promise<TruckEnd> {
    const { client } = this.parts
    const life = client.run()
    try {
      await Promise.race([this.drive().then(() => client.whenSettled()), life])
      if (this.isDone) client.stop()
      const end = await life
      return this.isDone ? { kind: 'done' } : end
    } finally {
      this.stopping.abort()
      client.stop()
    }
  }

  /** Records nothing more, takes at most so long to send what is in the outbox, and leaves the rest there. */
  async stop(graceMs: number): Promise<void> {
    const { client, clock } = this.parts
    this.stopping.abort()
    await clock.within(graceMs, client.whenSettled())
    client.stop()
  }

  private async drive(): Promise<void> {
    const { client, clock, duties, journal, plan, planKey, watch } = this.parts
    const { signal } = this.stopping
    const originMs = (this.stepsBefore > 0 ? journal?.run?.originMs : undefined) ?? clock.nowMs()
    if (this.stepsBefore === 0) journal?.begin(planKey, originMs)
    else watch?.goOn()
    const start = { clock, originMs, startMs: clock.nowMs(), fromStep: this.stepsBefore }
    let recordedMs = Number.NEGATIVE_INFINITY
    for (const { dueMs, fix } of plan.recordings(start)) {
      if (!plan.isPaced) await client.whenRoom()
      else if (dueMs > clock.nowMs()) await clock.sleep(dueMs - clock.nowMs(), signal)
      if (signal.aborted) return
      for (const alarm of watch?.observe(fix) ?? []) duties.raise(alarm)
      if (dueMs - recordedMs < duties.intervalMs) continue
      recordedMs = dueMs
      client.record([fix])
    }
  }
}

import { createHash } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { type Clock, SystemClock } from './clock.js'
import type { Drive } from './drives/drive.js'
import { type PlanOptions, planOf } from './drives/plan.js'
import { findImeis } from './imei-range.js'
import { type Random, randomOf } from './random.js'
import { type AdminCredentials, Registration, type TruckEntry } from './registration.js'
import { SecretBook } from './secret-book.js'
import type { UnitIdentity } from './socket/device-token.js'
import { ServerApi } from './socket/server-api.js'
import { SocketTransport } from './socket/socket-transport.js'
import { Truck, type TruckEnd } from './truck.js'
import { Journal } from './unit/journal.js'
import { Outbox } from './unit/outbox.js'
import { type Tally, totalOf } from './unit/tally.js'
import { UnitClient, type UnitSettings } from './unit/unit-client.js'
import type { UnitTransport } from './unit/unit-transport.js'

export interface FleetOptions extends UnitSettings {
  /** Scheme, host and port of the server. */
  readonly origin: string
  readonly trucks: number
  /** As `findImeis` takes it. */
  readonly imeiBase: string
  /** Recorded time over real time; 0: as fast as the acks allow. */
  readonly speedup: number
  readonly rebase: boolean
  readonly isLive: boolean
  /** Each record is sent more than once, in different events. */
  readonly duplicate: boolean
  /** Random order within so many records; Infinity: the whole drive; 0: off. */
  readonly shuffleWindow: number
  readonly clockSkewMs: number
  readonly seed: string
  /** Registers the trucks; without, they must exist or the server must enrol them by itself. */
  readonly admin?: AdminCredentials
  /** Trucks are registered with secrets and present them; needs a state directory. */
  readonly usesSecrets: boolean
  /** Where outboxes and secrets outlive the process; for one fleet at a time. */
  readonly stateDirectory?: string
}

export interface FleetParts {
  readonly clock?: Clock
  /** Told what a person may want to know, a line each. */
  readonly note?: (line: string) => void
  /** Another protocol than the device socket. */
  readonly transportOf?: (identity: UnitIdentity, random: Random) => UnitTransport
}

/** Where a fleet stands. */
export interface FleetSummary {
  readonly trucks: number
  readonly connected: number
  /** Records to be settled in this run; Infinity for a live fleet. */
  readonly total: number
  /** Records made and not settled. */
  readonly pending: number
  readonly tally: Tally
  readonly seconds: number
  /** Every record of every plan is settled; for a live fleet: every record made. */
  readonly isSettled: boolean
  /** Trucks that the server never let in, with its reason. */
  readonly shutOut: ReadonlyArray<{ readonly deviceId: string; readonly reason: string }>
}

/** Trucks of a large fleet do not all knock in one moment. */
const START_SPACING_MS = 2
/** Registering so many takes long enough to say so. */
const WORTH_A_NOTE = 100
const STOP_GRACE_MS = 3_000
/** Repeats travel in another event than the first, and keep some distance on any batch size. */
const LEAST_REPEAT_DISTANCE = 5

/** So many trucks on the given drives: registers them, runs them, and says how they fared. */
export class Fleet {
  private readonly clock: Clock
  private readonly note: (line: string) => void
  private readonly api: ServerApi
  private readonly stopping = new AbortController()
  private readonly shutOut: Array<{ deviceId: string; reason: string }> = []
  private trucks: Truck[] = []
  private journals: Journal[] = []
  private startedMs: number

  /**
   * @param drives at least one; truck number n drives the n-th, and from the beginning again
   * @throws RangeError the IMEIs do not make a range
   */
  constructor(
    private readonly options: FleetOptions,
    private readonly drives: readonly Drive[],
    private readonly parts: FleetParts = {},
  ) {
    this.clock = parts.clock ?? new SystemClock()
    this.note = parts.note ?? (() => {})
    this.api = new ServerApi(options.origin)
    this.startedMs = this.clock.nowMs()
    setMaxListeners(0, this.stopping.signal) // every truck that waits for its start listens
  }

  /**
   * Registers the trucks and runs them until every record is settled, or until `stop`.
   * @throws RegistrationError | JournalError | the file system's error
   */
  async run(): Promise<FleetSummary> {
    const { stateDirectory } = this.options
    if (stateDirectory !== undefined) mkdirSync(stateDirectory, { recursive: true })
    const secrets = this.openSecrets()
    const entries = this.listTrucks()
    await this.register(entries, secrets)
    this.trucks = entries.map(({ deviceId }, index) => this.build(index, deviceId, secrets?.find(deviceId)))
    this.startedMs = this.clock.nowMs()
    try {
      await Promise.all(this.trucks.map((truck, index) => this.runOne(truck, index)))
      return this.summary()
    } catch (error) {
      await this.stop() // the others are still under way
      throw error
    } finally {
      this.closeJournals()
    }
  }

  /** Lets the trucks record nothing more; `run` resolves within a few seconds, with what is pending kept in the outboxes. */
  async stop(): Promise<void> {
    this.stopping.abort()
    await Promise.all(this.trucks.map((truck) => truck.stop(STOP_GRACE_MS)))
  }

  summary(): FleetSummary {
    const { isLive } = this.options
    const pending = sum(this.trucks.map((truck) => truck.pending))
    return {
      trucks: this.options.trucks,
      connected: this.trucks.filter(({ isConnected }) => isConnected).length,
      total: sum(this.trucks.map(({ total }) => total)),
      pending,
      tally: totalOf(this.trucks.map(({ tally }) => tally)),
      seconds: (this.clock.nowMs() - this.startedMs) / 1000,
      isSettled: isLive ? pending === 0 && this.shutOut.length === 0 : this.trucks.every(({ isDone }) => isDone),
      shutOut: this.shutOut,
    }
  }

  private listTrucks(): TruckEntry[] {
    const imeis = findImeis(this.options.imeiBase, this.options.trucks)
    if (imeis === undefined) throw new RangeError(`no range of IMEIs begins with ${this.options.imeiBase}`)
    return imeis.map((deviceId, index) => ({ deviceId, name: `Simulated truck ${index + 1}` }))
  }

  private openSecrets(): SecretBook | undefined {
    const { stateDirectory, usesSecrets } = this.options
    return usesSecrets && stateDirectory !== undefined
      ? new SecretBook(path.join(stateDirectory, 'secrets.jsonl'))
      : undefined
  }

  private async register(entries: readonly TruckEntry[], secrets: SecretBook | undefined): Promise<void> {
    const { admin, seed } = this.options
    if (admin === undefined) return
    const { api, clock } = this
    if (entries.length >= WORTH_A_NOTE) this.note(`trucks to register: ${entries.length}`)
    const random = randomOf(`${seed}/registration`)
    const registration = new Registration({ api, admin, secrets, clock, random, signal: this.stopping.signal })
    const { created } = await registration.register(entries)
    this.note(`trucks registered: ${entries.length}, ${created} of them new`)
  }

  private build(index: number, deviceId: string, secret: string | undefined): Truck {
    const { options, clock } = this
    const random = randomOf(`${options.seed}/unit/${index}`)
    const drive = this.drives[index % this.drives.length]
    if (drive === undefined) throw new RangeError('a fleet needs a drive')
    const planOptions = this.planOptionsOf(index)
    const journal = this.openJournal(deviceId)
    const identity = { deviceId, secret }
    const transport =
      this.parts.transportOf?.(identity, random) ?? new SocketTransport(this.api, identity, clock, random)
    const client = new UnitClient({ transport, outbox: new Outbox(journal), clock, random }, options)
    const planKey = keyOf(drive, planOptions)
    return new Truck({ deviceId, client, plan: planOf(drive, planOptions), planKey, journal, clock })
  }

  private planOptionsOf(index: number): PlanOptions {
    const { speedup, rebase, isLive, clockSkewMs, duplicate, batch, shuffleWindow, seed, trucks } = this.options
    return {
      speedup,
      rebase,
      ...(isLive ? { live: { share: index / trucks, isReversed: index % 2 === 1 } } : {}),
      clockSkewMs,
      repeatDistance: duplicate ? Math.max(LEAST_REPEAT_DISTANCE, batch) : 0,
      shuffleWindow,
      seed: `${seed}/plan/${index}`,
    }
  }

  private openJournal(deviceId: string): Journal | undefined {
    const { stateDirectory } = this.options
    if (stateDirectory === undefined) return undefined
    const journal = Journal.open(path.join(stateDirectory, `${deviceId}.journal`))
    this.journals.push(journal)
    return journal
  }

  /** A replay that is done leaves nothing to go on with: the next run begins it anew. */
  private closeJournals(): void {
    const isOver = !this.options.isLive && this.summary().isSettled
    for (const journal of this.journals) isOver ? journal.remove() : journal.close()
  }

  private async runOne(truck: Truck, index: number): Promise<void> {
    await this.clock.sleep(index * START_SPACING_MS, this.stopping.signal)
    if (this.stopping.signal.aborted) return
    this.handleEnd(truck, await truck.run())
  }

  private handleEnd({ deviceId }: Truck, end: TruckEnd): void {
    if (end.kind !== 'shut_out') return
    const reason = `${end.refusal.message} (${end.refusal.code})`
    this.shutOut.push({ deviceId, reason })
    this.note(`${deviceId} was not let in: ${reason}`)
  }
}

/** Equal for plans that make the same records, at whatever pace. */
function keyOf(drive: Drive, options: PlanOptions): string {
  const key = JSON.stringify([
    drive.digest,
    { ...options, speedup: undefined, shuffleWindow: String(options.shuffleWindow) },
  ])
  return createHash('sha256').update(key).digest('hex')
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

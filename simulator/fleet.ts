import { setMaxListeners } from 'node:events'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { type Clock, SystemClock } from './clock.js'
import type { Drive } from './drives/drive.js'
import type { FleetOptions, FleetParts } from './fleet-options.js'
import { findImeis } from './imei-range.js'
import { randomOf } from './random.js'
import { Registration, type TruckEntry } from './registration.js'
import { SecretBook } from './secret-book.js'
import { ServerApi } from './socket/server-api.js'
import type { Truck, TruckEnd } from './truck.js'
import { TruckBuilder } from './truck-builder.js'
import { type Tally, totalOf } from './unit/tally.js'

/** Where a fleet stands. */
export interface FleetSummary {
  readonly trucks: number
  readonly connected: number
  /** Records to be settled in this run; Infinity for a live fleet. */
  readonly total: number
  /** Records made and not settled. */
  readonly pending: number
  /** Alarms not acknowledged, clips not uploaded, commands whose end the server does not know. */
  readonly pendingDuties: number
  readonly tally: Tally
  readonly seconds: number
  /** Every record of every plan is settled (for a live fleet: every record made), and everything else is over. */
  readonly isSettled: boolean
  /** Trucks that the server never let in, with its reason. */
  readonly shutOut: ReadonlyArray<{ readonly deviceId: string; readonly reason: string }>
}

/** Trucks of a large fleet do not all knock in one moment. */
const START_SPACING_MS = 2
/** Registering so many takes long enough to say so. */
const WORTH_A_NOTE = 100
const STOP_GRACE_MS = 3_000

/** So many trucks on the given drives: registers them, runs them, and says how they fared. */
export class Fleet {
  private readonly clock: Clock
  private readonly note: (line: string) => void
  private readonly api: ServerApi
  private readonly stopping = new AbortController()
  private readonly shutOut: Array<{ deviceId: string; reason: string }> = []
  private trucks: Truck[] = []
  private readonly builder: TruckBuilder
  private startedMs: number

  /**
   * @param drives at least one; truck number n drives the n-th, and from the beginning again
   * @throws RangeError the IMEIs do not make a range
   */
  constructor(
    private readonly options: FleetOptions,
    drives: readonly Drive[],
    parts: FleetParts = {},
  ) {
    this.clock = parts.clock ?? new SystemClock()
    this.note = parts.note ?? (() => {})
    this.api = new ServerApi(options.origin)
    this.builder = new TruckBuilder(options, drives, parts, this.api, this.clock)
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
    try {
      this.trucks = entries.map(({ deviceId }, index) =>
        this.builder.build(index, { deviceId, secret: secrets?.find(deviceId) }),
      )
      this.startedMs = this.clock.nowMs()
      await Promise.all(this.trucks.map((truck, index) => this.runOne(truck, index)))
      return this.summary()
    } catch (error) {
      await this.stop() // the others are still under way
      throw error
    } finally {
      await this.builder.close(!this.options.isLive && this.trucks.length > 0 && this.summary().isSettled)
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
    const pendingDuties = sum(this.trucks.map((truck) => truck.pendingDuties))
    const isOver = pending + pendingDuties === 0 && this.shutOut.length === 0
    return {
      trucks: this.options.trucks,
      connected: this.trucks.filter(({ isConnected }) => isConnected).length,
      total: sum(this.trucks.map(({ total }) => total)),
      pending,
      pendingDuties,
      tally: totalOf(this.trucks.map(({ tally }) => tally)),
      seconds: (this.clock.nowMs() - this.startedMs) / 1000,
      isSettled: isLive ? isOver : this.trucks.every(({ isDone }) => isDone),
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
    const { admin, seed, tracker } = this.options
    if (admin === undefined) return
    const { api, clock } = this
    if (entries.length >= WORTH_A_NOTE) this.note(`trucks to register: ${entries.length}`)
    const random = randomOf(`${seed}/registration`)
    const settings = tracker?.sack === true ? { trackerSack: true } : undefined
    const { signal } = this.stopping
    const registration = new Registration({ api, admin, secrets, settings, clock, random, signal })
    const { created } = await registration.register(entries)
    this.note(`trucks registered: ${entries.length}, ${created} of them new`)
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

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

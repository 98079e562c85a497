import { LRUCache } from 'lru-cache'
import type { AppConfig } from '../config/app-config.js'
import { LiveFeed } from '../live/live-feed.js'
import type { Metrics } from '../metrics/metrics.js'
import type { DecodedAlarm } from '../model/alarm.js'
import type { Delivery } from '../model/delivery.js'
import type { Position } from '../model/position.js'
import type { IngestOutcome, Report } from '../model/report.js'
import type { DiskGuard } from '../storage/disk-guard.js'
import type { PositionStore } from '../storage/positions/position-store.js'
import type { AlarmRecords, RaisedAlarm } from '../storage/sql/alarm-records.js'
import { AlarmCommit } from './alarm-commit.js'
import { AlarmIngest } from './alarm-ingest.js'
import { ConditionEdges } from './condition-edges.js'
import { DeliveryIngest } from './delivery-ingest.js'
import { foldRepeats } from './fold-repeats.js'
import { GroupCommit } from './group-commit.js'
import { Ingest } from './ingest.js'
import type { Quarantine } from './quarantine.js'
import { type Limits, validate } from './validate.js'

const DAY_MS = 86_400_000
/** Records that a dry run remembers, so that repeats of one are not counted as new again. */
const MOST_REMEMBERED = 200_000
/** Records of a device in one millisecond. */
const MOST_OF_A_MOMENT = 500

/** What a delivery came to. */
export interface ReplayedDelivery {
  readonly newRecords: number
  readonly knownRecords: number
  /** Codes, one for each record that can never be stored. */
  readonly refused: readonly string[]
  readonly newAlarms: number
  readonly knownAlarms: number
}

/** Puts a delivery where it belongs, or only says what would become of it. @throws AppError: it may be tried again */
export type Replay = (delivery: Delivery) => Promise<ReplayedDelivery>

/** Where replayed frames go. */
export interface ReplayStores {
  readonly positions: PositionStore
  readonly alarms: AlarmRecords
  readonly disk: DiskGuard
  readonly metrics: Metrics
  readonly config: AppConfig
}

/** Nobody watches here. */
class NoFeed extends LiveFeed {
  override publishPositions(): void {}
  override publishNews(): void {}
  override publishPresence(): void {}
}

/** What a replay refuses was refused before, and is told: kept again, it would push other refused records of the device out. */
const NO_QUARANTINE: Pick<Quarantine, 'keep'> = { keep: () => undefined }

const limitsOf = ({ RETENTION_DAYS }: AppConfig): Limits => ({ retentionMs: RETENTION_DAYS * DAY_MS })

/** Stores deliveries by the recipe of the pipeline, one after the other, and tells what became of each. */
export function storingReplay({ positions, alarms, disk, metrics, config }: ReplayStores): Replay {
  const context = { limits: limitsOf(config), metrics }
  const quarantine = NO_QUARANTINE as Quarantine
  const commit = new GroupCommit(positions, metrics, config.INGEST_MAX_WAITING)
  const ingest = new Ingest(commit, quarantine, new NoFeed(), disk, context)
  const alarmCommit = new AlarmCommit(alarms, metrics, { maxFiles: config.ALARM_MAX_FILES, onStored: () => undefined })
  const alarmIngest = new AlarmIngest(alarmCommit, quarantine, disk, context)
  const tally = new DeliveryTally()
  const recipe = new DeliveryIngest(
    {
      settle: async (report: Report) => {
        const settled = await ingest.settle(report)
        tally.settled(settled.outcome)
        return settled
      },
    },
    {
      ingest: async (alarm: DecodedAlarm, way: string) => {
        const raised = await alarmIngest.ingest(alarm, way)
        tally.raised(raised)
        return raised
      },
    },
    new ConditionEdges(positions),
  )
  return async (delivery) => {
    tally.begin(delivery)
    await recipe.settle(delivery)
    return tally.result()
  }
}

/** Stores nothing, and tells what would become of the records; alarms are only counted, all as new ones. */
export function dryReplay({ positions, config }: Pick<ReplayStores, 'positions' | 'config'>): Replay {
  const limits = limitsOf(config)
  const seen = new LRUCache<string, true>({ max: MOST_REMEMBERED })
  return async (delivery) => {
    const { valid, rejected } = validate(delivery, limits)
    const { once, repeats } = foldRepeats(valid)
    let newRecords = 0
    for (const position of once) {
      const identity = `${position.timeMs}:${position.discriminator}`
      if (seen.has(identity) || (await isStored(positions, position))) continue
      seen.set(identity, true)
      newRecords++
    }
    const knownRecords = once.length - newRecords + repeats
    const refused = rejected.map(({ code }) => code)
    return { newRecords, knownRecords, refused, newAlarms: delivery.alarms.length, knownAlarms: 0 }
  }
}

async function isStored(positions: PositionStore, { deviceId, timeMs, discriminator }: Position): Promise<boolean> {
  const range = { fromMs: timeMs, toMs: timeMs + 1 }
  const found = await positions.listTrack(deviceId, { ...range, limit: MOST_OF_A_MOMENT, includeWithoutFix: true })
  return found.some((one) => one.discriminator === discriminator)
}

/** What became of one delivery, also when it took several tries: what the first one stored, the second one finds there. */
class DeliveryTally {
  private delivery: Delivery | undefined
  private outcome: IngestOutcome | undefined
  private readonly alarms = new Map<string, boolean>()

  begin(delivery: Delivery): void {
    if (delivery === this.delivery) return
    this.delivery = delivery
    this.outcome = undefined
    this.alarms.clear()
  }

  settled(outcome: IngestOutcome): void {
    this.outcome ??= outcome
  }

  raised({ alarm, isNew }: RaisedAlarm): void {
    this.alarms.set(alarm.id, isNew || this.alarms.get(alarm.id) === true)
  }

  result(): ReplayedDelivery {
    const { accepted = 0, duplicates = 0, rejected = [] } = this.outcome ?? {}
    const newAlarms = [...this.alarms.values()].filter((isNew) => isNew).length
    return {
      newRecords: accepted,
      knownRecords: duplicates,
      refused: rejected.map(({ code }) => code),
      newAlarms,
      knownAlarms: this.alarms.size - newAlarms,
    }
  }
}

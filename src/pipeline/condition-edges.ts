import { LRUCache } from 'lru-cache'
import type { DecodedAlarm } from '../model/alarm.js'
import { type Condition, type Delivery, type HeldCondition, holdsIn } from '../model/delivery.js'
import type { DeviceId } from '../model/device-id.js'
import type { Position } from '../model/position.js'
import type { PositionStore, TrackPlace } from '../storage/positions/position-store.js'
import type { Settled } from './ingest.js'

/** Of one read: more than a message has records. */
const PAGE = 200
/** Records that tell nothing are passed over, so many in each look and so many in all: of a unit that reports each second, five hours. */
const LOOK_ROWS = 1000
const MOST_LOOKED_AT = 20_000
/** Devices whose records are refused; of the one that was heard longest ago an alarm is raised once more. */
const MOST_REFUSED_DEVICES = 10_000

/**
 * Where conditions begin, by the order of the unit's clock, as the store has it now: so it is the same after a restart, on every node, and
 * for data that come late, shuffled or again. What is stored around the records of a message is looked at: an alarm is each beginning in one
 * of them, or in the record after it, whose condition may only begin now that a late one is known before it. The alarms of a beginning are
 * the same one, however often it is found.
 *
 * One record in which nothing holds, and which is where its device was seen last, costs a single read: whether one without a fix is later.
 * Records that can never be stored have no place in that order: for them a condition begins where it did not hold in the refused record
 * that came before, as far as this process remembers.
 */
export class ConditionEdges {
  private readonly refused = new LRUCache<DeviceId, ReadonlySet<string>>({ max: MOST_REFUSED_DEVICES })

  constructor(private readonly positions: Pick<PositionStore, 'listBefore' | 'listTrack'>) {}

  /**
   * @param delivery is stored
   * @throws AppError `store_unavailable`
   */
  async find(delivery: Delivery, { outcome, latest }: Settled): Promise<readonly DecodedAlarm[]> {
    const { deviceId, watched } = delivery
    if (watched.length === 0) return []
    const isRefused = new Set(outcome.rejected.map(({ index }) => index))
    const marks = inOrder(
      delivery.records.flatMap(({ position }, index) =>
        position !== undefined && !isRefused.has(index) && tells(position, watched) ? [position] : [],
      ),
    )
    const [only] = marks
    const isQuiet = marks.length === 1 && !delivery.conditions.some(({ index }) => !isRefused.has(index))
    const isLastFix = only !== undefined && latest !== undefined && compare(only, latest) === 0
    const uncoversNothing = isQuiet && isLastFix && (await this.isLast(only))
    const stored = uncoversNothing ? [] : await this.walk(deviceId, watched, marks)
    return [...stored, ...this.findRefused(delivery, isRefused).alarms]
  }

  /** The alarms of a delivery are raised: what its refused records told counts from now on. */
  remember(delivery: Delivery, { outcome }: Settled): void {
    if (delivery.watched.length === 0 || outcome.rejected.length === 0) return
    const { held } = this.findRefused(delivery, new Set(outcome.rejected.map(({ index }) => index)))
    this.refused.set(delivery.deviceId, held)
  }

  private async isLast({ deviceId, timeMs, discriminator }: Position): Promise<boolean> {
    const after = { timeMs, discriminator }
    return (await this.positions.listTrack(deviceId, { after, limit: 1, includeWithoutFix: true })).length === 0
  }

  /** From each record that was not passed yet, up to the one after it. */
  private async walk(
    deviceId: DeviceId,
    watched: readonly Condition[],
    marks: readonly Position[],
  ): Promise<DecodedAlarm[]> {
    const isMark = new Set(marks.map(identityOf))
    const alarms: DecodedAlarm[] = []
    for (let next = 0; next < marks.length; ) {
      const { timeMs } = marks[next] as Position
      const [before, page] = await Promise.all([
        this.findTellingBefore(deviceId, watched, timeMs),
        this.positions.listTrack(deviceId, { fromMs: timeMs, limit: PAGE, includeWithoutFix: true }),
      ])
      alarms.push(...watched.flatMap((condition) => beginningsIn({ before, page, isMark }, condition)))
      const last = page.length < PAGE ? undefined : page.findLast((one) => tells(one, watched))
      const passed = last === undefined ? -1 : marks.findIndex((mark) => compare(mark, last) >= 0)
      next = last === undefined || passed === -1 ? marks.length : Math.max(passed, next + 1)
    }
    return alarms
  }

  /** The last record before a moment that tells; one that does not is passed over, and so are those before it, as far as is looked. */
  private async findTellingBefore(
    deviceId: DeviceId,
    watched: readonly Condition[],
    timeMs: number,
  ): Promise<Position | undefined> {
    let place: TrackPlace | undefined = { timeMs }
    // The very last one tells, nearly always.
    let limit = 1
    for (let passed = 0; place !== undefined && passed < MOST_LOOKED_AT; limit = LOOK_ROWS) {
      const page: readonly Position[] = await this.positions.listBefore(deviceId, place, limit)
      const found = page.find((one) => tells(one, watched))
      if (found !== undefined) return found
      passed += page.length
      place = page.length < limit ? undefined : page.at(-1)
    }
    return undefined
  }

  private findRefused(delivery: Delivery, isRefused: ReadonlySet<number>) {
    const { deviceId, conditions } = delivery
    let held: ReadonlySet<string> = this.refused.get(deviceId) ?? new Set()
    const alarms: DecodedAlarm[] = []
    for (const index of [...isRefused].sort((a, b) => a - b)) {
      const holding = conditions.filter((condition) => condition.index === index)
      // One that was never a record tells nothing, also not that something ended.
      if (holding.length === 0 && delivery.records[index]?.position === undefined) continue
      for (const { alarm } of holding) if (!held.has(nameOf(alarm))) alarms.push(alarm)
      held = new Set(holding.map(({ alarm }: HeldCondition) => nameOf(alarm)))
    }
    return { alarms, held }
  }
}

interface Stretch {
  readonly before: Position | undefined
  readonly page: readonly Position[]
  readonly isMark: ReadonlySet<string>
}

function beginningsIn({ before, page, isMark }: Stretch, condition: Condition): DecodedAlarm[] {
  const alarms: DecodedAlarm[] = []
  let held = before !== undefined && holdsIn(condition, before.attributes) === true
  let isAfterMark = false
  for (const position of page) {
    const holds = holdsIn(condition, position.attributes)
    if (holds === undefined) continue
    const isOne = isMark.has(identityOf(position))
    if (holds && !held && (isOne || isAfterMark)) alarms.push(alarmOf(condition, position))
    held = holds
    isAfterMark = isOne
  }
  return alarms
}

function alarmOf({ type, eventKey }: Condition, position: Position): DecodedAlarm {
  const { deviceId, timeMs, receivedAtMs, latitude, longitude, speedKmh, attributes } = position
  return {
    deviceId,
    type,
    timeMs,
    eventKey,
    receivedAtMs,
    latitude,
    longitude,
    speedKmh,
    attributes: { ...attributes, eventKey },
    fileNames: [],
  }
}

function tells({ attributes }: Position, watched: readonly Condition[]): boolean {
  return watched.some((condition) => holdsIn(condition, attributes) !== undefined)
}

function nameOf({ type, eventKey }: DecodedAlarm): string {
  return `${type} ${eventKey}`
}

function inOrder(positions: readonly Position[]): readonly Position[] {
  return [...positions].sort(compare)
}

function identityOf({ timeMs, discriminator }: Position): string {
  return `${timeMs}:${discriminator}`
}

function compare(a: Position, b: Position): number {
  return a.timeMs - b.timeMs || a.discriminator - b.discriminator
}

import { createHash } from 'node:crypto'
import type { DecodedAlarm } from '../model/alarm.js'
import type { Delivery, HeldCondition } from '../model/delivery.js'
import type { Attributes, AttributeValue, Position } from '../model/position.js'
import type { DecodedRecord } from '../model/report.js'

/** A sender whose device could not be looked up when it sent: the store that knows the devices was away. */
export interface Unadmitted {
  readonly address: string
}

export interface SpooledDelivery {
  readonly delivery: Delivery
  readonly unadmitted?: Unadmitted
}

/** Of the text; one that is not known here is left for a person to look at. */
const FORMAT = 1
const KEY_BYTES = 16

/** What JSON has no number for. */
type OddNumber = { readonly odd: 'NaN' | 'Infinity' | '-Infinity' | '-0' }
/** Names of attributes are the unit's: they must not be taken for ours. */
type PlainAttributes = ReadonlyArray<readonly [name: string, value: AttributeValue]>
type Plain<T> = Omit<T, 'receivedAtMs' | 'attributes'> & {
  /** Absent: that of the delivery, as usual. */
  readonly receivedAtMs?: number
  readonly attributes: PlainAttributes | null
}

/** What is written in other words than it has. Nothing else of a delivery has names that are not ours. */
type Reworded = 'receivedAtMs' | 'records' | 'rawOf' | 'alarms' | 'conditions'

/** The delivery without when it came, so that a repeat has the same text. */
interface PlainDelivery extends Omit<Delivery, Reworded> {
  readonly records: ReadonlyArray<Plain<Position> | Pick<DecodedRecord, 'refusal'>>
  /** Of records that quarantine may ask for. */
  readonly raws: ReadonlyArray<readonly [index: number, raw: string]>
  readonly alarms: ReadonlyArray<Plain<DecodedAlarm>>
  readonly conditions: ReadonlyArray<Omit<HeldCondition, 'alarm'> & { readonly alarm: Plain<DecodedAlarm> }>
}

interface Body {
  readonly format: typeof FORMAT
  readonly receivedAtMs: number
  readonly unadmitted?: Unadmitted
  readonly said: PlainDelivery
}

/**
 * @param rawIndexes records whose raw bytes go along; refused ones always do
 * @returns the text that {@link decodeDelivery} reads, and what tells it from others: the same for a repeat, whenever that comes
 */
export function encodeDelivery(
  { delivery, unadmitted }: SpooledDelivery,
  rawIndexes: Iterable<number> = [],
): { readonly key: string; readonly body: string } {
  const { receivedAtMs, records, rawOf, alarms, conditions, ...rest } = delivery
  const refused = records.flatMap(({ refusal }, index) => (refusal === undefined ? [] : [index]))
  const plainAlarm = (alarm: DecodedAlarm) => toPlain(alarm, receivedAtMs)
  const said: PlainDelivery = {
    ...rest,
    records: records.map(({ position, refusal }) => (position ? toPlain(position, receivedAtMs) : { refusal })),
    raws: [...new Set([...refused, ...rawIndexes])].map((index) => [index, rawOf(index)] as const),
    alarms: alarms.map(plainAlarm),
    conditions: conditions.map((condition) => ({ ...condition, alarm: plainAlarm(condition.alarm) })),
  }
  const text = JSON.stringify(said, markOdd)
  const key = createHash('sha256')
    .update(text)
    .digest('hex')
    .slice(0, 2 * KEY_BYTES)
  const head = JSON.stringify({ format: FORMAT, receivedAtMs, unadmitted } satisfies Omit<Body, 'said'>)
  return { key, body: `${head.slice(0, -1)},"said":${text}}` }
}

/**
 * The delivery as it was given: equal in everything but `rawOf`, which knows the records that it was asked to keep and gives what was
 * read of the others.
 * @throws Error when the text is none of ours
 */
export function decodeDelivery(text: string): SpooledDelivery {
  const { format, receivedAtMs, unadmitted, said } = JSON.parse(text, unmarkOdd) as Body
  if (format !== FORMAT) throw new Error(`its format ${String(format)} is not known here`)
  const { raws, ...rest } = said
  const records = said.records.map((record) => fromPlainRecord(record, receivedAtMs))
  const rawByIndex = new Map(raws)
  const alarmOf = (alarm: Plain<DecodedAlarm>) => fromPlain(alarm, receivedAtMs) as DecodedAlarm
  const delivery: Delivery = {
    ...rest,
    receivedAtMs,
    records,
    rawOf: (index) => rawByIndex.get(index) ?? JSON.stringify(records[index] ?? null),
    alarms: said.alarms.map(alarmOf),
    conditions: said.conditions.map((condition) => ({ ...condition, alarm: alarmOf(condition.alarm) })),
  }
  return unadmitted === undefined ? { delivery } : { delivery, unadmitted }
}

function fromPlainRecord(record: PlainDelivery['records'][number], receivedAtMs: number): DecodedRecord {
  if ('refusal' in record && record.refusal !== undefined) return { refusal: record.refusal }
  return { position: fromPlain(record as Plain<Position>, receivedAtMs) as Position }
}

function toPlain<T extends { readonly receivedAtMs: number; readonly attributes: Attributes | null }>(
  { receivedAtMs, attributes, ...rest }: T,
  usualMs: number,
): Plain<T> {
  const plain = { ...rest, attributes: attributes && Object.entries(attributes) }
  return receivedAtMs === usualMs ? plain : { ...plain, receivedAtMs }
}

function fromPlain<T>({ receivedAtMs, attributes, ...rest }: Plain<T>, usualMs: number): object {
  return {
    ...rest,
    receivedAtMs: receivedAtMs ?? usualMs,
    attributes: attributes && Object.fromEntries(attributes),
  }
}

function markOdd(_key: string, value: unknown): unknown {
  if (typeof value !== 'number' || (Number.isFinite(value) && !Object.is(value, -0))) return value
  return { odd: Object.is(value, -0) ? '-0' : (String(value) as OddNumber['odd']) } satisfies OddNumber
}

/** No object of a delivery has a member of that name: those of attributes are kept as pairs. */
function unmarkOdd(_key: string, value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'odd' in value ? Number(value.odd) : value
}

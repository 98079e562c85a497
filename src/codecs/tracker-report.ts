import type { DecodedAlarm } from '../model/alarm.js'
import { type Condition, type Delivery, holdsIn } from '../model/delivery.js'
import type { DeviceId } from '../model/device-id.js'
import type { DecodedRecord, RecordCode } from '../model/report.js'
import type { TrackerAlarm, TrackerMessage, TrackerRecord } from './tracker-codec.js'

/** Last moment that calendars know. */
const LAST_TIME_MS = 8_640_000_000_000_000

const isMoment = (timeMs: number | undefined) => timeMs !== undefined && Math.abs(timeMs) <= LAST_TIME_MS
const refuse = (code: RecordCode, message: string): DecodedRecord => ({ refusal: { code, message } })

/** What a message came in. */
export interface TrackerArrival {
  readonly deviceId: DeviceId
  /** The way in, as metrics name it. */
  readonly ingress: string
  readonly receivedAtMs: number
  /** The frame that the spans of the records lie in. */
  readonly frame: Buffer
}

/** The message as the pipeline takes it. */
export function toDelivery({ records }: TrackerMessage, arrival: TrackerArrival): Delivery {
  const { deviceId, ingress, receivedAtMs, frame } = arrival
  const alarmOf = (alarm: TrackerAlarm, record: TrackerRecord) =>
    toDecodedAlarm(alarm, record, { deviceId, receivedAtMs })
  return {
    deviceId,
    ingress,
    receivedAtMs,
    records: records.map((record) => toDecodedRecord(record, deviceId, receivedAtMs)),
    rawOf: (index) => {
      const [start, end] = records[index]?.span ?? [0, frame.length]
      return frame.subarray(start, end).toString('hex')
    },
    alarms: records.flatMap((record) => (record.alarm === null ? [] : [alarmOf(record.alarm, record)])),
    conditions: records.flatMap((record, index) =>
      (record.conditions ?? [])
        .filter((condition) => holdsIn(condition, record.attributes))
        .map((condition) => ({ index, alarm: alarmOf(condition, record) })),
    ),
    watched: watchedIn(records),
  }
}

function watchedIn(records: readonly TrackerRecord[]): readonly Condition[] {
  const watched = new Map<string, Condition>()
  for (const { conditions = [] } of records)
    for (const condition of conditions) watched.set(`${condition.type} ${condition.eventKey}`, condition)
  return [...watched.values()]
}

/** The record as the pipeline takes it, or why it never can be stored. */
export function toDecodedRecord(record: TrackerRecord, deviceId: DeviceId, receivedAtMs: number): DecodedRecord {
  const { timeMs, latitude, longitude, refusal } = record
  if (refusal !== undefined) return { refusal }
  if (!isMoment(timeMs)) return refuse('invalid_time', 'the time is no moment')
  if (latitude !== null && Math.abs(latitude) > 90) return refuse('invalid_latitude', `${latitude} is no latitude`)
  if (longitude !== null && Math.abs(longitude) > 180)
    return refuse('invalid_longitude', `${longitude} is no longitude`)
  return {
    position: {
      deviceId,
      timeMs,
      discriminator: record.discriminator,
      receivedAtMs,
      latitude,
      longitude,
      hasFix: record.hasFix,
      altitudeM: record.altitudeM,
      speedKmh: record.speedKmh,
      headingDeg: record.headingDeg,
      accuracyM: record.accuracyM,
      satellites: record.satellites,
      attributes: record.attributes,
      ...(record.isPart && { isPart: true }),
    },
  }
}

/**
 * The alarm of a record. Its place is that of the record, as far as it is one on earth; its time is never a reason to refuse it, unless
 * it is no moment at all: then the alarm is of when it was told, or, if nothing says that, of when it came.
 */
export function toDecodedAlarm(
  { type, eventKey, timeMs: toldAtMs }: TrackerAlarm,
  record: TrackerRecord,
  { deviceId, receivedAtMs }: { readonly deviceId: DeviceId; readonly receivedAtMs: number },
): DecodedAlarm {
  const { latitude, longitude, timeMs, speedKmh, attributes } = record
  const isSomewhere = latitude !== null && longitude !== null && Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180
  return {
    deviceId,
    type,
    timeMs: [timeMs, toldAtMs].find(isMoment) ?? receivedAtMs,
    eventKey,
    receivedAtMs,
    latitude: isSomewhere ? latitude : null,
    longitude: isSomewhere ? longitude : null,
    speedKmh,
    attributes: { ...attributes, eventKey },
    fileNames: [],
  }
}

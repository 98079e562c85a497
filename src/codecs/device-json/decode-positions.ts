import type { DeviceId } from '../../model/device-id.js'
import type { Position } from '../../model/position.js'
import type { DecodedRecord, RecordCode } from '../../model/report.js'
import { parseTime } from '../../model/time.js'
import { decodeAttributes } from './decode-attributes.js'
import { type Fields, isFields, isWithin } from './fields.js'

/** More positions than this in one event are refused as a whole. */
export const MAX_BATCH = 1000

/** A whole body that is not one position or a list of them. */
export type BatchError = 'invalid_request' | 'empty_batch' | 'batch_too_large'

const refuse = (code: RecordCode, message: string): DecodedRecord => ({ refusal: { code, message } })

/**
 * Decodes the body that socket, MQTT and HTTP units share: one position or an array of 1..1000 of them.
 * Unknown keys are ignored, null is the same as absent, 0/0 becomes a record without a fix.
 * @returns a record for each element, in order, or the code for which the whole body is refused
 */
export function decodePositions(
  body: unknown,
  deviceId: DeviceId,
  receivedAtMs: number,
): readonly DecodedRecord[] | BatchError {
  if (!Array.isArray(body)) {
    return isFields(body) ? [decodePosition(body, deviceId, receivedAtMs)] : 'invalid_request'
  }
  if (body.length === 0) return 'empty_batch'
  if (body.length > MAX_BATCH) return 'batch_too_large'
  return body.map((element: unknown) =>
    isFields(element) ? decodePosition(element, deviceId, receivedAtMs) : refuse('invalid_field', 'must be an object'),
  )
}

function decodePosition(fields: Fields, deviceId: DeviceId, receivedAtMs: number): DecodedRecord {
  const timeMs = parseTime(fields.time)
  if (timeMs === undefined) {
    return refuse('invalid_time', 'time must be ISO 8601 with a time and an offset, or epoch milliseconds')
  }
  const saysFix = fields.hasFix ?? true
  if (typeof saysFix !== 'boolean') return refuse('invalid_field', 'hasFix must be true or false')
  const latitude = fields.latitude ?? null
  const longitude = fields.longitude ?? null
  const mayBeNowhere = !saysFix && latitude === null && longitude === null
  if (!mayBeNowhere) {
    if (!isWithin(latitude, -90, 90)) return refuse('invalid_latitude', 'latitude must be a number from -90 to 90')
    if (!isWithin(longitude, -180, 180))
      return refuse('invalid_longitude', 'longitude must be a number from -180 to 180')
  }
  const optional = decodeOptional(fields)
  if (typeof optional === 'string') return refuse('invalid_field', optional)
  const attributes = decodeAttributes(fields.attributes ?? null)
  if (attributes.refusal !== undefined) return attributes
  return {
    position: {
      deviceId,
      timeMs,
      discriminator: 0,
      receivedAtMs,
      latitude: latitude as number | null,
      longitude: longitude as number | null,
      hasFix: saysFix && !(latitude === 0 && longitude === 0),
      ...optional,
      attributes: attributes.value,
    },
  }
}

type Optional = Pick<Position, 'altitudeM' | 'speedKmh' | 'headingDeg' | 'accuracyM' | 'satellites'>

/** @returns the fields, or what is wrong with one of them in words */
function decodeOptional(fields: Fields): Optional | string {
  const altitudeM = fields.altitude ?? null
  if (altitudeM !== null && !isWithin(altitudeM, -100_000, 1_000_000)) return 'altitude must be a number of metres'
  const speedKmh = fields.speed ?? null
  if (speedKmh !== null && !isWithin(speedKmh, 0, 100_000)) return 'speed must be a number of km/h, 0 or more'
  const headingDeg = fields.heading ?? null
  if (headingDeg !== null && !isWithin(headingDeg, 0, 360)) return 'heading must be a number of degrees from 0 to 360'
  const accuracyM = fields.accuracy ?? null
  if (accuracyM !== null && !isWithin(accuracyM, 0, 1e9)) return 'accuracy must be a number of metres, 0 or more'
  const satellites = fields.satellites ?? null
  if (satellites !== null && !(isWithin(satellites, 0, 1000) && Number.isInteger(satellites))) {
    return 'satellites must be a whole number, 0 or more'
  }
  return { altitudeM, speedKmh, headingDeg: headingDeg === 360 ? 0 : headingDeg, accuracyM, satellites } as Optional
}

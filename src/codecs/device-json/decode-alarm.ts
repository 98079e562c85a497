import { ALARM_TYPES, type AlarmType, type DecodedAlarm, parseAlarmType } from '../../model/alarm.js'
import type { FieldError } from '../../model/app-error.js'
import type { DeviceId } from '../../model/device-id.js'
import type { FieldCode } from '../../model/field-code.js'
import { parseFileName } from '../../model/file-name.js'
import type { Attributes } from '../../model/position.js'
import { parseTime } from '../../model/time.js'
import { decodeAttributes } from './decode-attributes.js'
import { type Fields, isFields, isWithin } from './fields.js'

/** Why an alarm cannot be taken as it came, and what is wrong with each field. */
export interface AlarmRefusal {
  readonly code: 'invalid_request' | 'unknown_alarm_type' | 'invalid_file_name'
  readonly errors: readonly FieldError[]
}

type Decoded =
  | { readonly alarm: DecodedAlarm; readonly refusal?: undefined }
  | { readonly alarm?: undefined; readonly refusal: AlarmRefusal }

/** What is known of the alarm beside its body. */
export interface AlarmContext {
  readonly deviceId: DeviceId
  readonly receivedAtMs: number
  /** Names of files that one report may carry. */
  readonly maxFiles: number
}

const UNKNOWN_TYPE = 'unknown_alarm_type'
const INVALID_NAME = 'invalid_file_name'
const NAME_RULE =
  'must be a name of 1 to 200 bytes, without / and \\, control, invisible and bidirectional characters, not blank, . or ..'

const UNSTORABLE = /[\0\p{Cs}]/u

/** Notes what is wrong with a field; gives undefined, as what the field is. */
type Refuse = (path: string, message: string, code?: FieldCode) => undefined

/**
 * Decodes the body of the event `alarm` and of `POST /alarms`. Unknown keys are ignored, null is the same as absent, a type may
 * be in any case, and a name that comes twice counts once.
 * @returns the alarm, whatever its time; or all that is wrong with it
 */
export function decodeAlarm(body: unknown, { deviceId, receivedAtMs, maxFiles }: AlarmContext): Decoded {
  const errors: FieldError[] = []
  const refuse: Refuse = (path, message, code = 'invalid_field') => {
    errors.push({ path, code, message })
  }
  if (!isFields(body)) {
    refuse('', 'must be one alarm as an object')
    return { refusal: toRefusal(errors) }
  }
  const type = decodeType(body.type, refuse)
  const timeMs = decodeTime(body.time, refuse)
  const place = decodePlace(body, refuse)
  const speedKmh = decodeSpeed(body.speed ?? null, refuse)
  const fileNames = decodeFileNames(body.files ?? null, maxFiles, refuse)
  const attributes = decodeAlarmAttributes(body.attributes ?? null, refuse)
  if (
    type === undefined ||
    timeMs === undefined ||
    place === undefined ||
    speedKmh === undefined ||
    fileNames === undefined ||
    attributes === undefined
  ) {
    return { refusal: toRefusal(errors) }
  }
  const eventKey = eventKeyOf(attributes)
  return { alarm: { deviceId, type, timeMs, eventKey, receivedAtMs, ...place, speedKmh, attributes, fileNames } }
}

function decodeType(value: unknown, refuse: Refuse): AlarmType | undefined {
  const isText = typeof value === 'string'
  const type = isText ? parseAlarmType(value) : undefined
  return type ?? refuse('type', `must be one of ${ALARM_TYPES.join(', ')}`, isText ? UNKNOWN_TYPE : undefined)
}

function decodeTime(value: unknown, refuse: Refuse): number | undefined {
  const message = 'must be ISO 8601 with a time and an offset, or epoch milliseconds'
  return parseTime(value) ?? refuse('time', message, 'invalid_time')
}

function decodePlace(fields: Fields, refuse: Refuse): Pick<DecodedAlarm, 'latitude' | 'longitude'> | undefined {
  const { latitude = null, longitude = null } = fields
  if (latitude === null && longitude === null) return { latitude, longitude }
  if (latitude === null || longitude === null) {
    return refuse(latitude === null ? 'latitude' : 'longitude', 'latitude and longitude come both or not at all')
  }
  if (!isWithin(latitude, -90, 90)) return refuse('latitude', 'must be a number from -90 to 90')
  if (!isWithin(longitude, -180, 180)) return refuse('longitude', 'must be a number from -180 to 180')
  return { latitude, longitude }
}

function decodeSpeed(value: unknown, refuse: Refuse): number | null | undefined {
  if (value === null || isWithin(value, 0, 100_000)) return value
  return refuse('speed', 'must be a number of km/h, 0 or more')
}

function decodeFileNames(value: unknown, maxFiles: number, refuse: Refuse): readonly string[] | undefined {
  if (value === null) return []
  if (!Array.isArray(value)) return refuse('files', 'must be an array of names')
  const names = new Set<string>()
  for (const [index, given] of value.entries()) {
    const name = typeof given === 'string' ? parseFileName(given) : undefined
    if (name === undefined) return refuse(`files.${index}`, NAME_RULE, INVALID_NAME)
    names.add(name)
    // Before the next one is looked at: a body may hold very many.
    if (names.size > maxFiles) return refuse('files', `an alarm may name at most ${maxFiles} files`)
  }
  return [...names]
}

function decodeAlarmAttributes(value: unknown, refuse: Refuse): Attributes | null | undefined {
  const { refusal, value: attributes } = decodeAttributes(value)
  return refusal === undefined ? attributes : refuse('attributes', refusal.message, refusal.code)
}

/** A number or truth and the text of it are one key: firmware writes either. */
function eventKeyOf(attributes: Attributes | null): string {
  const key = attributes?.eventKey
  if (key === undefined) return ''
  if (typeof key !== 'string') return String(key)
  // Databases cut texts at a zero or change halves of surrogate pairs, and would not find the key again; escaped they keep it.
  return UNSTORABLE.test(key) ? JSON.stringify(key) : key
}

/** The first field that has a code of its own in the catalogue gives it to the whole. */
function toRefusal(errors: readonly FieldError[]): AlarmRefusal {
  const own = errors.find(({ code }) => code === UNKNOWN_TYPE || code === INVALID_NAME)
  return { code: (own?.code as AlarmRefusal['code'] | undefined) ?? 'invalid_request', errors }
}

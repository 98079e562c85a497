import type { DeviceId } from '../../model/device-id.js'

/** The characters of URL-safe base 64 in the order of their bytes, so that texts of one length sort as the numbers do. */
const DIGITS = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz'
const VALUES = new Map(Array.from(DIGITS, (digit, value) => [digit, value]))
const BASE = 64
const HIGH_DIGITS = 4
const LOW_DIGITS = 5
const TIME_DIGITS = HIGH_DIGITS + LOW_DIGITS
const DISCRIMINATOR_DIGITS = 8
const LOW = BASE ** LOW_DIGITS
/** Makes every moment that a `Date` can hold, and more, a number of 54 bits that is not negative. */
const HIGH_OFFSET = BASE ** HIGH_DIGITS / 2

const SEPARATOR = '/'
/** The character after it: no key of the device is at or beyond its id with this. */
const AFTER_SEPARATOR = '0'

/**
 * The key of one device's position without the device: nine characters of time and, unless the discriminator is 0, eight of it. Texts
 * compare, byte by byte, as (time, discriminator) do.
 */
export type MomentKey = string

/** No key of a device comes before this, and no position has it. */
export const BEFORE_ALL: MomentKey = ''

export function momentKey(timeMs: number, discriminator: number): MomentKey {
  const high = Math.floor(timeMs / LOW)
  const time = toDigits(high + HIGH_OFFSET, HIGH_DIGITS) + toDigits(timeMs - high * LOW, LOW_DIGITS)
  return discriminator === 0 ? time : time + toDigits(discriminator - 1, DISCRIMINATOR_DIGITS)
}

/** The first key of a moment: at or after it is everything at or after the moment. The moment may be a fraction or infinite. */
export function firstKeyAt(timeMs: number): MomentKey {
  const whole = Math.ceil(timeMs)
  if (whole < -HIGH_OFFSET * LOW) return BEFORE_ALL
  return whole >= HIGH_OFFSET * LOW ? AFTER_ALL : momentKey(whole, 0)
}

/** Greater than every key of a moment: `~` comes after all digits. */
const AFTER_ALL: MomentKey = '~'

/**
 * The `_id` of a position.
 * @throws RangeError an id with a slash would make the keys of two devices one
 */
export function positionId(deviceId: DeviceId, moment: MomentKey): string {
  if (deviceId.includes(SEPARATOR)) throw new RangeError(`a device id must not hold ${SEPARATOR}: ${deviceId}`)
  return `${deviceId}${SEPARATOR}${moment}`
}

/** Not greater than any `_id` of the device, and greater than every one of devices before it. */
export function startOfDevice(deviceId: DeviceId): string {
  return deviceId + SEPARATOR
}

/** Greater than every `_id` of the device, and not greater than one of any other. */
export function endOfDevice(deviceId: DeviceId): string {
  return deviceId + AFTER_SEPARATOR
}

export function splitPositionId(id: string): { readonly deviceId: DeviceId; readonly moment: MomentKey } {
  const at = id.lastIndexOf(SEPARATOR)
  return { deviceId: id.slice(0, at), moment: id.slice(at + 1) }
}

export function readMomentKey(moment: MomentKey): { readonly timeMs: number; readonly discriminator: number } {
  const high = fromDigits(moment, 0, HIGH_DIGITS) - HIGH_OFFSET
  const timeMs = high * LOW + fromDigits(moment, HIGH_DIGITS, TIME_DIGITS)
  const discriminator = moment.length === TIME_DIGITS ? 0 : fromDigits(moment, TIME_DIGITS, moment.length) + 1
  return { timeMs, discriminator }
}

/** Any one order will do for writes that must not meet each other crosswise; it is the server's for ids of ASCII. */
export function compareIds(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function toDigits(value: number, digits: number): string {
  let text = ''
  for (let left = value, n = 0; n < digits; n++, left = Math.floor(left / BASE))
    text = DIGITS.charAt(left % BASE) + text
  return text
}

function fromDigits(text: string, start: number, end: number): number {
  let value = 0
  for (let at = start; at < end; at++) value = value * BASE + (VALUES.get(text.charAt(at)) ?? Number.NaN)
  return value
}

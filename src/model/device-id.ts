/** The id of a device: an IMEI for cellular units, a chosen name for other boxes. Always in its canonical spelling. */
export type DeviceId = string

/** `imei`: a cellular unit identified by its IMEI; `named`: any other box, which must have a secret. */
export type DeviceKind = 'imei' | 'named'

/** `luhn`: 15 digits with a valid check digit. `any`: also 14–15 digits without one and 14 hexadecimal digits (MEID). */
export type ImeiCheck = 'luhn' | 'any'

const FIFTEEN_DIGITS = /^\d{15}$/
const IMEI_LIKE = /^(?:\d{14,15}|[0-9A-Fa-f]{14})$/
const NAME = /^[A-Za-z0-9._-]{1,64}$/

/** Whether the last of the digits is the Luhn check digit of those before it. */
export function hasLuhnDigit(digits: string): boolean {
  let sum = 0
  for (let i = digits.length - 1, double = false; i >= 0; i--, double = !double) {
    let digit = digits.charCodeAt(i) - 48
    if (double) {
      digit *= 2
      if (digit > 9) digit -= 9
    }
    sum += digit
  }
  return sum % 10 === 0
}

/** Whether the text is an IMEI under the given check. */
export function isImei(text: string, check: ImeiCheck): boolean {
  if (check === 'any') return IMEI_LIKE.test(text)
  return FIFTEEN_DIGITS.test(text) && hasLuhnDigit(text)
}

/** Whether the text may name a box that has no IMEI: 1..64 of letters, digits, `.`, `_`, `-`, not shaped like an IMEI. */
export function isDeviceName(text: string): boolean {
  return NAME.test(text) && !IMEI_LIKE.test(text) && text !== '.' && text !== '..'
}

/** The kind of a valid device id, or `undefined` when the text is none. */
export function deviceKindOf(text: string, check: ImeiCheck): DeviceKind | undefined {
  if (isImei(text, check)) return 'imei'
  return isDeviceName(text) ? 'named' : undefined
}

const ISO =
  /^(\d{4}|[+ -]\d{6})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,20}))?)?(?: ?([Zz]|[+-]\d\d(?::?\d\d)?)| (\d\d:?\d\d))$/
const DIGIT_0 = 0x30
const EPOCH = /^(-?\d{1,16})(?:\.\d{1,20})?$/

/** The range of ECMAScript dates; what lies outside is no time. */
export const MAX_EPOCH_MS = 8.64e15

const LEAP_YEAR = '(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)'
const DAY_OF_ANY_YEAR =
  '(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))'
const TIME_OF_DAY = '(?:[01][0-9]|2[0-3]):[0-5][0-9](?::(?:[0-5][0-9]|60)(?:[.,][0-9]{1,20})?)?'
const END_OF_DAY = '24:00(?::00(?:[.,](?:0{1,3}|000[0-9]{1,17}))?)?'
const OFFSET = '(?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?'
const BARE_OFFSET = '(?:[01][0-9]|2[0-3]):?[0-5][0-9]'
/** As ISO 8601 writes years beyond four digits. */
const FAR = '[+-](?:[01][0-9]|2[0-6])'
const EPOCH_MS = '(?:[0-9]{1,15}|[0-7][0-9]{15}|8[0-5][0-9]{14}|86[0-3][0-9]{13}|8640{13})'

/**
 * Source of the expression that matches exactly the texts that {@link parseTime} reads, but for the years beyond 269999, of which that
 * reads those that there are, and for a blank in the place of a plus before a year, which headers would lose; for the documentation, not for reading them.
 */
export const TIME_PATTERN = `^(?:(?:(?:${FAR})?[0-9]{4}-${DAY_OF_ANY_YEAR}|(?:${FAR})?${LEAP_YEAR}-02-29)[Tt ](?:${TIME_OF_DAY}|${END_OF_DAY})(?: ?(?:[Zz]|[+-]${OFFSET})| ${BARE_OFFSET})|-?${EPOCH_MS}(?:[.][0-9]{1,20})?)$`

/**
 * Reads a moment from JSON or a query parameter.
 * @param value ISO 8601 with an offset (second 60 is 59.999; years beyond four digits with a sign and six), or epoch milliseconds; finer than a millisecond is cut
 * @returns epoch milliseconds UTC, or undefined when it is no moment: a date without a time, a time without an offset, 31 February
 */
export function parseTime(value: unknown): number | undefined {
  if (typeof value === 'number') {
    return Number.isFinite(value) && Math.abs(value) <= MAX_EPOCH_MS ? Math.trunc(value) + 0 : undefined
  }
  if (typeof value !== 'string' || value.length > 64) return undefined
  const plain = parsePlain(value)
  if (plain !== undefined) return plain
  // The text is cut, not the number: the last millisecond that there is has a half, too.
  const epochMs = EPOCH.exec(value)?.[1]
  if (epochMs !== undefined) return parseTime(Number(epochMs))
  const match = ISO.exec(value)
  return match === null ? undefined : momentOf(match)
}

/**
 * Reads the spelling that nearly every unit uses, `2026-11-22T07:30:00Z` with or without three decimals, without an expression:
 * that was most of the cost of a position. Whatever is not plainly so (a leap second, the end of a month) is left to the expression.
 */
function parsePlain(text: string): number | undefined {
  const { length } = text
  if ((length !== 20 && length !== 24) || text[length - 1] !== 'Z') return undefined
  if (text[4] !== '-' || text[7] !== '-' || text[10] !== 'T' || text[13] !== ':' || text[16] !== ':') return undefined
  const year = digitsAt(text, 0, 4)
  const month = digitsAt(text, 5, 2)
  const day = digitsAt(text, 8, 2)
  const hour = digitsAt(text, 11, 2)
  const minute = digitsAt(text, 14, 2)
  const second = digitsAt(text, 17, 2)
  const milliseconds = length === 20 ? 0 : text[19] === '.' ? digitsAt(text, 20, 3) : Number.NaN
  const isPlain =
    year >= 1000 && month >= 1 && month <= 12 && day >= 1 && day <= 28 && hour <= 23 && minute <= 59 && second <= 59
  const moment = isPlain ? Date.UTC(year, month - 1, day, hour, minute, second, milliseconds) : Number.NaN
  return Number.isNaN(moment) ? undefined : moment
}

/** @returns NaN when one of the characters is no digit */
function digitsAt(text: string, start: number, count: number): number {
  let value = 0
  for (let at = start; at < start + count; at++) {
    const digit = text.charCodeAt(at) - DIGIT_0
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
  }
  return value
}

function momentOf(match: RegExpExecArray): number | undefined {
  const [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map((group) => Number(match[group] ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const isLeap = second === 60
  const milliseconds = isLeap ? 999 : Number((match[7] ?? '').slice(0, 3).padEnd(3, '0'))
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return undefined
  if (minute > 59 || second > 60) return undefined
  const isMidnightAtEnd = hour === 24 && minute === 0 && second === 0 && milliseconds === 0
  if (hour > 23 && !isMidnightAtEnd) return undefined
  // A blank instead of the sign is a plus that a client did not encode in a query.
  const offsetMinutes = parseOffset(match[8] ?? `+${match[9]}`)
  if (offsetMinutes === undefined) return undefined
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  date.setUTCHours(hour, minute, isLeap ? 59 : second, milliseconds)
  const moment = date.getTime() - offsetMinutes * 60_000
  // Beyond the calendar it is no number, or one that no date has.
  return Math.abs(moment) <= MAX_EPOCH_MS ? moment : undefined
}

function parseOffset(text: string): number | undefined {
  if (text === 'Z' || text === 'z') return 0
  const hours = Number(text.slice(1, 3))
  const minutes = Number(text.slice(3).replace(':', '') || 0)
  if (hours > 23 || minutes > 59) return undefined
  return (text[0] === '-' ? -1 : 1) * (hours * 60 + minutes)
}

function daysInMonth(year: number, month: number): number {
  return new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate()
}

/** ISO 8601 UTC with milliseconds, as every answer carries it. */
export function formatTime(epochMs: number): string {
  return new Date(epochMs).toISOString()
}

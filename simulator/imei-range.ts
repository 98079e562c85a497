import { hasLuhnDigit, isImei } from '../src/model/device-id.js'

/**
 * Where simulated trucks' IMEIs begin unless told otherwise. Numbers that begin with 00 are set aside for test equipment and
 * are printed on no box that is sold.
 */
export const SIMULATED_IMEIS = '00990000'

const BODY_DIGITS = 14

/**
 * The IMEIs of so many trucks, consecutive, each with its Luhn digit.
 * @param base the first truck's IMEI, its 14 digits without the check digit, or a beginning of them (the rest is zeros)
 * @returns `undefined` when the base is none of these, or the range runs out of digits
 */
export function findImeis(base: string, count: number): string[] | undefined {
  const isWhole = isImei(base, 'luhn')
  if (!isWhole && !/^\d{1,14}$/.test(base)) return undefined
  const first = Number(base.slice(0, BODY_DIGITS).padEnd(BODY_DIGITS, '0'))
  if (first + count > 10 ** BODY_DIGITS) return undefined
  return Array.from({ length: count }, (_, index) => withLuhnDigit(String(first + index).padStart(BODY_DIGITS, '0')))
}

function withLuhnDigit(body: string): string {
  for (let digit = 0; digit < 9; digit++) if (hasLuhnDigit(`${body}${digit}`)) return `${body}${digit}`
  return `${body}9`
}

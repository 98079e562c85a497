import type { AttributeValue } from '../model/position.js'

/** An element as it goes over the wire; numbers are big-endian. */
export interface WireElement {
  readonly id: number
  readonly hex: string
}

/** A number of a maker's document: `raw × times ÷ per` is in the unit of its name. What is not from `least` to `most` is none. */
interface NumberFact {
  readonly signed?: true
  readonly times?: number
  readonly per?: number
  readonly least?: number
  readonly most?: number
}

/**
 * What a maker's document says of an element. Written out beside the codecs and used by their tests only, so that a mistake in a table of
 * theirs shows.
 * @param bytes that its value has; of another size it is another thing. 0: any
 */
export type ElementFact = readonly [
  id: number,
  bytes: number,
  name: string,
  value: 'flag' | 'key' | 'text' | 'number' | NumberFact,
]

/** No cargo and no weather is colder or warmer: sensors that are not there say such temperatures. */
export const celsius = (per: number): NumberFact => ({ signed: true, per, least: -100, most: 250 })

/** @param elements in the order of the wire. @returns what is understood by its name, all the rest as `io.<id>`, repeats with their number */
export function elementAttributes(
  elements: readonly WireElement[],
  facts: readonly ElementFact[],
): Record<string, AttributeValue> {
  const attributes: Record<string, AttributeValue> = {}
  for (const { id, hex } of elements) {
    const fact = facts.find(([of]) => of === id)
    const value = fact === undefined ? undefined : readingOf(hex, fact)
    if (fact !== undefined && value !== undefined && !(fact[2] in attributes)) attributes[fact[2]] = value
    else attributes[freeName(attributes, `io.${id}`)] = rawValue(hex)
  }
  return attributes
}

/** As nobody understands it: a number of up to four bytes, else hex. */
export function rawValue(hex: string): number | string {
  return hex.length === 0 || hex.length > 8 ? hex.toLowerCase() : Number.parseInt(hex, 16)
}

function freeName(attributes: Record<string, AttributeValue>, name: string): string {
  if (!(name in attributes)) return name
  for (let nth = 2; ; nth++) if (!(`${name}.${nth}` in attributes)) return `${name}.${nth}`
}

function readingOf(hex: string, [, bytes, , value]: ElementFact): AttributeValue | undefined {
  if (bytes !== 0 && hex.length !== 2 * bytes) return undefined
  if (value === 'flag') return { '00': false, '01': true }[hex]
  if (value === 'key') return /^0+$/.test(hex) ? undefined : hex.toLowerCase()
  if (value === 'text') return textOf(hex)
  return numberOf(hex, value === 'number' ? {} : value)
}

function textOf(hex: string): string | undefined {
  const characters = (hex.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16))
  const isPrintable = characters.length > 0 && characters.every((one) => one >= 0x20 && one <= 0x7e)
  return isPrintable ? String.fromCharCode(...characters) : undefined
}

function numberOf(hex: string, { signed, times = 1, per = 1, least, most }: NumberFact): number | undefined {
  const unsigned = Number.parseInt(hex, 16)
  const raw = signed && unsigned >= 2 ** (4 * hex.length - 1) ? unsigned - 2 ** (4 * hex.length) : unsigned
  const value = (raw * times) / per
  if (least !== undefined && value < least) return undefined
  return most !== undefined && value > most ? undefined : value
}

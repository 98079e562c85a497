import type { KnownElement } from './tracker-attributes.js'

/*
 * What elements of trackers mean, by the size that their makers' documents give them; of another size they are another thing and nobody
 * understands them. Numbers are big-endian.
 */

const unsigned = (raw: Buffer) => raw.readUIntBE(0, raw.length)
const signed = (raw: Buffer) => raw.readIntBE(0, raw.length)

export function sized(bytes: number, name: string, read: KnownElement['read']): KnownElement {
  return { name, read: (raw) => (raw.length === bytes ? read(raw) : undefined) }
}

/** 0 or 1; any other number is none. */
export function flag(name: string): KnownElement {
  return sized(1, name, (raw) => {
    const value = unsigned(raw)
    return value > 1 ? undefined : value === 1
  })
}

export function count(bytes: number, name: string): KnownElement {
  return sized(bytes, name, unsigned)
}

/** @param each what one step of the number is */
export function scaled(bytes: number, name: string, each: number): KnownElement {
  return sized(bytes, name, (raw) => rounded(unsigned(raw) * each))
}

export function scaledSigned(bytes: number, name: string, each: number): KnownElement {
  return sized(bytes, name, (raw) => rounded(signed(raw) * each))
}

/** Degrees Celsius. Sensors that are not there, or do not answer, say temperatures that nothing on a truck has. */
export function temperature(bytes: number, name: string, each: number): KnownElement {
  return sized(bytes, name, (raw) => {
    const celsius = rounded(signed(raw) * each)
    return celsius < -100 || celsius > 250 ? undefined : celsius
  })
}

/** A key of eight bytes, as hex; none is lying there when all of it is zero. */
export function key(name: string): KnownElement {
  return sized(8, name, (raw) => (raw.readBigUInt64BE() === 0n ? undefined : raw.toString('hex')))
}

/** Printable ASCII. */
export function text(name: string): KnownElement {
  return {
    name,
    read: (raw) => {
      const words = raw.toString('latin1')
      return /^[\x20-\x7e]+$/.test(words) ? words : undefined
    },
  }
}

/** Takes off what the arithmetic of doubles adds: the numbers have three decimal places at most. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000
}

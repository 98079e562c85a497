import type { Attributes } from '../../model/position.js'
import { rawValue } from '../element-facts.contract.js'
import type { RecordExpectation } from '../tracker-frames.contract.js'

export interface WireTag {
  /** Two hexadecimal digits. */
  readonly tag: string
  readonly hex: string
}

const tagsFrom = (first: number, count: number, bytes: number): [string, number][] =>
  Array.from({ length: count }, (_, i) => [(first + i).toString(16).padStart(2, '0'), bytes])

/**
 * Every tag of the maker's list whose value always has the same length, with that length in bytes.
 * @source Galileosky, exchange protocol with the server, list of tags; `fa` and `fd` from traccar
 */
export const GALILEOSKY_LENGTHS: ReadonlyMap<string, number> = new Map([
  ...tagsFrom(0x01, 2, 1),
  ...tagsFrom(0x03, 1, 15),
  ...tagsFrom(0x04, 1, 2),
  ...tagsFrom(0x10, 1, 2),
  ...tagsFrom(0x20, 1, 4),
  ...tagsFrom(0x30, 1, 9),
  ...tagsFrom(0x33, 1, 4),
  ...tagsFrom(0x34, 1, 2),
  ...tagsFrom(0x35, 1, 1),
  ...tagsFrom(0x40, 3, 2),
  ...tagsFrom(0x43, 1, 1),
  ...tagsFrom(0x44, 1, 4),
  ...tagsFrom(0x45, 2, 2),
  ...tagsFrom(0x47, 1, 4),
  ...tagsFrom(0x48, 1, 2),
  ...tagsFrom(0x50, 10, 2),
  ...tagsFrom(0x5a, 1, 4),
  ...tagsFrom(0x5c, 1, 68),
  ...tagsFrom(0x5d, 1, 3),
  ...tagsFrom(0x60, 3, 2),
  ...tagsFrom(0x63, 13, 3),
  ...tagsFrom(0x70, 8, 2),
  ...tagsFrom(0x80, 8, 3),
  ...tagsFrom(0x88, 5, 1),
  ...tagsFrom(0x90, 1, 4),
  ...tagsFrom(0xa0, 16, 1),
  ...tagsFrom(0xb0, 10, 2),
  ...tagsFrom(0xc0, 4, 4),
  ...tagsFrom(0xc4, 15, 1),
  ...tagsFrom(0xd3, 2, 4),
  ...tagsFrom(0xd5, 1, 1),
  ...tagsFrom(0xd6, 5, 2),
  ...tagsFrom(0xdb, 5, 4),
  ...tagsFrom(0xe0, 1, 4),
  ...tagsFrom(0xe2, 8, 4),
  ...tagsFrom(0xf0, 10, 4),
  ...tagsFrom(0xfa, 1, 3),
  ...tagsFrom(0xfd, 1, 8),
])

/** Bytes that a refrigerator (`5b`) sends besides the first seven, by the bit of its status that announces them. */
const BLOCKS = [0, 10, 10, 10, 2, 2, 2, 2, 2, 2, 32, 20, 12, 2, 2]

export function refrigeratorBytes(status: number): number {
  return BLOCKS.reduce((sum, block, bit) => sum + ((status >> bit) & 1) * block, 7)
}

type Meaning = (value: Numbers) => Attributes

/** Identity, time, place, speed and altitude are fields of the record, and no attributes of it. */
const FIELDS = ['03', '20', '30', '33', '34']
const MEANINGS: Readonly<Record<string, Meaning>> = {
  '01': (value) => ({ hardwareVersion: value.unsigned(0, 1) }),
  '02': (value) => ({ firmwareVersion: value.unsigned(0, 1) }),
  '04': (value) => ({ deviceNumber: value.unsigned(0, 2) }),
  '10': (value) => ({ archiveNumber: value.unsigned(0, 2) }),
  '35': (value) => ({ hdop: value.unsigned(0, 1) / 10 }),
  '40': (value) => ({ status: value.unsigned(0, 2), movement: value.bit(0), ignition: value.bit(9) }),
  '41': (value) => ({ externalVoltageV: value.unsigned(0, 2) / 1000 }),
  '42': (value) => ({ batteryVoltageV: value.unsigned(0, 2) / 1000 }),
  '43': (value) => ({ deviceTemperatureC: value.signed(0, 1) }),
  '44': (value) => ({
    accelerationXG: gravity(value.bits(0, 10)),
    accelerationYG: gravity(value.bits(10, 10)),
    accelerationZG: gravity(value.bits(20, 10)),
  }),
  '45': (value) => ({ outputs: value.unsigned(0, 2) }),
  '46': (value) => ({ inputs: value.unsigned(0, 2) }),
  '47': (value) => ({
    peakAccelerationG: value.unsigned(0, 1) / 100,
    peakBrakingG: value.unsigned(1, 1) / 100,
    peakCorneringG: value.unsigned(2, 1) / 100,
    peakBumpG: value.unsigned(3, 1) / 100,
  }),
  '90': (value) => keyOf('driverKey', value),
  c0: (value) => ({ fuelUsedL: value.unsigned(0, 4) / 2 }),
  c1: (value) => ({
    fuelLevelPct: (value.unsigned(0, 1) * 2) / 5,
    coolantTemperatureC: value.unsigned(1, 1) - 40,
    engineSpeedRpm: value.unsigned(2, 2) / 8,
  }),
  c2: (value) => ({ vehicleOdometerM: value.unsigned(0, 4) * 5 }),
  d3: (value) => keyOf('driverKey2', value),
  d4: (value) => ({ odometerM: value.unsigned(0, 4) }),
}

/** Tags that are more than their bytes. */
export const GALILEOSKY_NAMED: readonly string[] = [
  ...Object.keys(MEANINGS),
  ...[...tagsFrom(0x70, 8, 2), ...tagsFrom(0x80, 8, 3)].map(([tag]) => tag),
]

/** All of them: nothing else is told of the record. @param tags of one record, in the order of the wire */
export function tagAttributes(tags: readonly WireTag[]): Attributes {
  const place = tags.find(({ tag }) => tag === '30')
  // The high four bits of the first byte: the place comes from cells, and its precision is how far it may be off.
  const isFromCells = place?.hex.startsWith('2') ?? false
  const told = tags.filter(({ tag }) => !FIELDS.includes(tag) && !(isFromCells && tag === '35'))
  return Object.assign(isFromCells ? { positionSource: 'cells' } : {}, ...told.map(attributesOf)) as Attributes
}

export function galileoskyAttributes({ tags }: RecordExpectation): Attributes {
  return tagAttributes(tags as readonly WireTag[])
}

function attributesOf({ tag, hex }: WireTag): Attributes {
  const value = new Numbers(hex)
  const known = /^7[0-7]$/.test(tag)
    ? thermometer(Number(tag[1]) + 1, value)
    : /^8[0-7]$/.test(tag)
      ? hygrometer(Number(tag[1]) + 1, value)
      : MEANINGS[tag]?.(value)
  return known === undefined || Object.keys(known).length === 0 ? { [`io.${tag}`]: littleEndian(hex) } : known
}

function thermometer(nth: number, value: Numbers): Attributes {
  const [id, celsius] = [value.unsigned(0, 1), value.signed(1, 1)]
  // The wire is broken.
  if (id === 127 && celsius === -128) return {}
  return { [`temperature${nth}C`]: celsius, [`temperature${nth}SensorId`]: id }
}

function hygrometer(nth: number, value: Numbers): Attributes {
  return {
    [`hygrometer${nth}SensorId`]: value.unsigned(0, 1),
    [`hygrometer${nth}TemperatureC`]: value.signed(1, 1),
    [`hygrometer${nth}HumidityPct`]: Number(((value.unsigned(2, 1) * 100) / 255).toFixed(2)),
  }
}

/** 512 is 0 g, and 186 more are 1 g; to a thousandth. */
function gravity(tenBits: number): number {
  return Math.round(((tenBits - 512) * 1000) / 186) / 1000
}

/** All zero: no key is lying there. */
function keyOf(name: string, value: Numbers): Attributes {
  return value.unsigned(0, 4) === 0 ? {} : { [name]: value.hex }
}

/** As nobody understands it: numbers are little-endian, what is longer stays as it came. */
function littleEndian(hex: string): number | string {
  return hex.length > 8 ? hex : rawValue((hex.match(/../g) ?? []).reverse().join(''))
}

/** Little-endian numbers out of hexadecimal digits. */
class Numbers {
  constructor(readonly hex: string) {}

  unsigned(at: number, bytes: number): number {
    const digits = this.hex.slice(2 * at, 2 * (at + bytes))
    return Number.parseInt((digits.match(/../g) ?? []).reverse().join(''), 16)
  }

  signed(at: number, bytes: number): number {
    const value = this.unsigned(at, bytes)
    return value >= 2 ** (8 * bytes - 1) ? value - 2 ** (8 * bytes) : value
  }

  bit(nth: number): boolean {
    return this.bits(nth, 1) === 1
  }

  bits(from: number, count: number): number {
    return Math.floor(this.unsigned(0, this.hex.length / 2) / 2 ** from) % 2 ** count
  }
}

import type { AttributeValue } from '../../model/position.js'

/** What a tag's value means; several names where it holds several values. Nothing where the numbers say that there is none. */
export type Meaning = (value: Buffer) => Readonly<Record<string, AttributeValue>>

const thousandths =
  (name: string): Meaning =>
  (value) => ({ [name]: value.readUInt16LE() / 1000 })
const byte =
  (name: string): Meaning =>
  (value) => ({ [name]: value.readUInt8() })
const word =
  (name: string): Meaning =>
  (value) => ({ [name]: value.readUInt16LE() })

const BROKEN_WIRE_ID = 127
const BROKEN_WIRE_C = -128

function thermometer(nth: number): Meaning {
  return (value) => {
    const [id, celsius] = [value.readUInt8(0), value.readInt8(1)]
    if (id === BROKEN_WIRE_ID && celsius === BROKEN_WIRE_C) return {}
    return { [`temperature${nth}C`]: celsius, [`temperature${nth}SensorId`]: id }
  }
}

function hygrometer(nth: number): Meaning {
  return (value) => ({
    [`hygrometer${nth}SensorId`]: value.readUInt8(0),
    [`hygrometer${nth}TemperatureC`]: value.readInt8(1),
    [`hygrometer${nth}HumidityPct`]: Math.round((value.readUInt8(2) * 10_000) / 255) / 100,
  })
}

/** Three numbers of ten bits; 512 is 0 g, and 186 more are 1 g. */
const acceleration: Meaning = (value) => {
  const bits = value.readUInt32LE()
  const axis = (shift: number) => Math.round(((((bits >>> shift) & 0x3ff) - 512) / 186) * 1000) / 1000
  return { accelerationXG: axis(0), accelerationYG: axis(10), accelerationZG: axis(20) }
}

/** All zero: none is lying there. */
const key =
  (name: string): Meaning =>
  (value): Readonly<Record<string, AttributeValue>> =>
    value.readUInt32LE() === 0 ? {} : { [name]: value.toString('hex') }

/** 100 is 1 g. */
const drivingStyle: Meaning = (value) => ({
  peakAccelerationG: value.readUInt8(0) / 100,
  peakBrakingG: value.readUInt8(1) / 100,
  peakCorneringG: value.readUInt8(2) / 100,
  peakBumpG: value.readUInt8(3) / 100,
})

/** The strength of its signal stays in its bits 12 and 13: its four steps are none of another brand's. */
const status: Meaning = (value) => {
  const bits = value.readUInt16LE()
  return { status: bits, movement: (bits & 1) !== 0, ignition: (bits & (1 << 9)) !== 0 }
}

const engine: Meaning = (value) => ({
  fuelLevelPct: Math.round(value.readUInt8(0) * 4) / 10,
  coolantTemperatureC: value.readUInt8(1) - 40,
  engineSpeedRpm: value.readUInt16LE(2) / 8,
})

const eight = (first: number, meaning: (nth: number) => Meaning): [number, Meaning][] =>
  Array.from({ length: 8 }, (_, i) => [first + i, meaning(i + 1)])

/**
 * Tags by number; those of time, place, speed and identity are fields of their own.
 * @source Galileosky, exchange protocol with the server, list of tags
 */
export const GALILEOSKY_TAGS: ReadonlyMap<number, Meaning> = new Map<number, Meaning>([
  [0x01, byte('hardwareVersion')],
  [0x02, byte('firmwareVersion')],
  [0x04, word('deviceNumber')],
  [0x10, word('archiveNumber')],
  [0x35, (value) => ({ hdop: value.readUInt8() / 10 })],
  [0x40, status],
  [0x41, thousandths('externalVoltageV')],
  [0x42, thousandths('batteryVoltageV')],
  [0x43, (value) => ({ deviceTemperatureC: value.readInt8() })],
  [0x44, acceleration],
  [0x45, word('outputs')],
  [0x46, word('inputs')],
  [0x47, drivingStyle],
  ...eight(0x70, thermometer),
  ...eight(0x80, hygrometer),
  [0x90, key('driverKey')],
  [0xc0, (value) => ({ fuelUsedL: value.readUInt32LE() / 2 })],
  [0xc1, engine],
  [0xc2, (value) => ({ vehicleOdometerM: value.readUInt32LE() * 5 })],
  [0xd3, key('driverKey2')],
  [0xd4, (value) => ({ odometerM: value.readUInt32LE() })],
])

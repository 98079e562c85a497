import type { Attributes, AttributeValue } from '../model/position.js'
import { DecodeError } from './decode-error.js'
import { encodeTagPacket } from './galileosky/encode-records.js'
import { GALILEOSKY_LENGTHS, GALILEOSKY_NAMED, refrigeratorBytes } from './galileosky/galileosky-attributes.contract.js'
import { GALILEOSKY } from './galileosky/galileosky-codec.js'
import { GALILEOSKY_TAGS } from './galileosky/galileosky-elements.js'
import { encodeRecordsFrame } from './ruptela/encode-records.js'
import { RUPTELA_FACTS } from './ruptela/ruptela-attributes.contract.js'
import { RUPTELA } from './ruptela/ruptela-codec.js'
import { RUPTELA_ELEMENTS } from './ruptela/ruptela-elements.js'
import type { SentElement } from './sent-record.js'
import { encodeRecordsPacket } from './teltonika/encode-records.js'
import { TELTONIKA_FACTS } from './teltonika/teltonika-attributes.contract.js'
import { TELTONIKA } from './teltonika/teltonika-codec.js'
import { TELTONIKA_ELEMENTS } from './teltonika/teltonika-elements.js'
import type { TrackerMessage } from './tracker-codec.js'

/** What an element, as it goes over the wire, is among the attributes. */
type Row = readonly [id: number, hex: string, name: string, value: AttributeValue]

const element = (id: number, hex: string): SentElement => ({ id, raw: Buffer.from(hex, 'hex') })

const recordOf = (elements: readonly SentElement[]) => ({
  timeMs: Date.UTC(2026, 4, 17, 12),
  latitude: 48.137154,
  longitude: 11.576124,
  altitudeM: 519,
  speedKmh: 36,
  headingDeg: 90,
  satellites: 9,
  eventId: 0,
  elements,
})

const ascending = (ids: Iterable<number>) => [...new Set(ids)].sort((a, b) => a - b)

/** Attributes but those that every record of the brand has. */
function attributesOf({ records }: TrackerMessage): Attributes {
  const { priority: _priority, hdop: _hdop, ...attributes } = records[0]?.attributes ?? {}
  return attributes
}

describe('elements of Teltonika', () => {
  const decode = (...elements: SentElement[]) => {
    const { records } = TELTONIKA.decode(encodeRecordsPacket('8E', [recordOf(elements)]))
    const { priority: _, ...attributes } = records[0]?.attributes ?? {}
    return attributes
  }

  const rows: readonly Row[] = [
    [1, '01', 'digitalInput1', true],
    [2, '01', 'digitalInput2', true],
    [3, '00', 'digitalInput3', false],
    [4, '01', 'digitalInput4', true],
    [9, '2710', 'analogInput1V', 10],
    [10, '0bb9', 'analogInput2V', 3.001],
    [16, '0001e240', 'odometerM', 123_456],
    [17, 'fc18', 'accelerationXG', -1],
    [18, '0011', 'accelerationYG', 0.017],
    [19, '03de', 'accelerationZG', 0.99],
    [21, '05', 'gsmSignal', 5],
    [24, '0109', 'vehicleSpeedKmh', 265],
    [66, '6a1d', 'externalVoltageV', 27.165],
    [67, '0f96', 'batteryVoltageV', 3.99],
    [68, '0064', 'batteryCurrentA', 0.1],
    [69, '03', 'gnssState', 3],
    [72, 'ffffff9c', 'temperature1C', -10],
    [73, '000000d7', 'temperature2C', 21.5],
    [74, 'fffffc18', 'temperature3C', -100],
    [75, '000009c4', 'temperature4C', 250],
    [78, '01000012345678ab', 'driverKey', '01000012345678ab'],
    [113, '57', 'batteryLevelPct', 87],
    [179, '00', 'digitalOutput1', false],
    [180, '01', 'digitalOutput2', true],
    [181, '000b', 'pdop', 1.1],
    [182, '0009', 'hdop', 0.9],
    [199, '00000064', 'tripOdometerM', 100],
    [200, '02', 'sleepMode', 2],
    [239, '01', 'ignition', true],
    [240, '00', 'movement', false],
    [241, '00006599', 'operatorCode', 26_009],
    [256, '57304c3030303030303030303030303031', 'vin', 'W0L00000000000001'],
    [281, '50303330312c50303432302c', 'faultCodes', 'P0301,P0420,'],
    [10800, 'ff38', 'beaconTemperature1C', -2],
    [10801, '0951', 'beaconTemperature2C', 23.85],
    [10802, '0001', 'beaconTemperature3C', 0.01],
    [10803, 'd8f0', 'beaconTemperature4C', -100],
    [9999, 'ff', 'io.9999', 255],
    [9999, 'fffe', 'io.9999', 65_534],
    [9999, '010203', 'io.9999', 0x010203],
    [9999, 'ffffffff', 'io.9999', 4_294_967_295],
    [9999, 'ffFFffffffffffff', 'io.9999', 'ffffffffffffffff'],
    [9999, 'ABCDEF0102', 'io.9999', 'abcdef0102'],
    // Of another size, or of no value that it can have, an element is another thing.
    [239, '02', 'io.239', 2],
    [66, '00006a1d', 'io.66', 27_165],
    [72, '00000bb8', 'io.72', 3000],
    [78, '0000000000000000', 'io.78', '0000000000000000'],
    [74, 'fffffc17', 'io.74', 0xfffffc17],
    [75, '000009c5', 'io.75', 2501],
    [10800, '7fff', 'io.10800', 0x7fff],
    [10803, 'd8ef', 'io.10803', 0xd8ef],
    [113, 'fffd8c85', 'io.113', 0xfffd8c85],
    [256, '00000000', 'io.256', 0],
    [281, '', 'io.281', ''],
  ]

  it.each<Row>(rows)('%d: %s is %s = %s', (id, hex, name, value) => {
    expect(decode(element(id, hex))).toStrictEqual({ [name]: value })
  })

  it('are each in a row above', () => {
    const named = rows.filter(([, , name]) => !name.startsWith('io.')).map(([id]) => id)
    expect(ascending(named)).toEqual(ascending(TELTONIKA_ELEMENTS.keys()))
    expect(ascending(TELTONIKA_FACTS.map(([id]) => id))).toEqual(ascending(TELTONIKA_ELEMENTS.keys()))
  })

  it('are all kept when they are repeated', () => {
    expect(
      decode(element(239, '01'), element(239, '00'), element(7, '01'), element(7, '02'), element(7, '0003')),
    ).toEqual({
      ignition: true,
      'io.239': 0,
      'io.7': 1,
      'io.7.2': 2,
      'io.7.3': 3,
    })
  })
})

describe('elements of Ruptela', () => {
  const decode = (...elements: SentElement[]) =>
    attributesOf(RUPTELA.decode(encodeRecordsFrame('868324023580306', true, [recordOf(elements)])))

  const rows: readonly Row[] = [
    [2, '01', 'digitalInput1', true],
    [3, '00', 'digitalInput2', false],
    [4, '01', 'digitalInput3', true],
    [5, '01', 'ignition', true],
    [13, '01', 'movement', true],
    [20, '1388', 'analogInput3V', 5],
    [21, '0001', 'analogInput4V', 0.001],
    [22, '2710', 'analogInput1V', 10],
    [23, '009f', 'analogInput2V', 0.159],
    [27, '1f', 'io.27', 31],
    [29, '6a1d', 'externalVoltageV', 27.165],
    [30, '0f96', 'batteryVoltageV', 3.99],
    [34, '01000012345678ab', 'driverKey', '01000012345678ab'],
    [65, '0001e240', 'odometerM', 123_456],
    [78, 'ff9c', 'temperature1C', -10],
    [79, '00d7', 'temperature2C', 21.5],
    [80, 'fc18', 'temperature3C', -100],
    [88, '01', 'jamming', true],
    [94, '0fa0', 'engineSpeedRpm', 1000],
    [95, '50', 'vehicleSpeedKmh', 80],
    [150, '00006599', 'operatorCode', 26_009],
    [163, '0001e240', 'vehicleOdometerM', 617_280],
    [173, '00', 'movement', false],
    [197, '1f40', 'engineSpeedRpm', 1000],
    [207, '67', 'fuelLevelPct', 41.2],
    [208, '00000065', 'fuelUsedL', 50.5],
    [251, '01', 'ignition', true],
    [409, '01', 'ignition', true],
    [410, '01', 'towing', true],
    [411, '00', 'crash', false],
    [9999, 'ffffffff', 'io.9999', 4_294_967_295],
    [9999, 'ffffffffffffffff', 'io.9999', 'ffffffffffffffff'],
    // The numbers of a vehicle that does not tell.
    [207, 'ff', 'io.207', 255],
    [197, 'ffff', 'io.197', 65_535],
    [208, 'ffffffff', 'io.208', 4_294_967_295],
    // The last numbers that mean something, and the first that do not.
    [197, 'faff', 'engineSpeedRpm', 8031.875],
    [197, 'fb00', 'io.197', 0xfb00],
    [207, 'fa', 'fuelLevelPct', 100],
    [207, 'fb', 'io.207', 0xfb],
    [208, 'faffffff', 'fuelUsedL', 2_105_540_607.5],
    [208, 'fb000000', 'io.208', 0xfb00_0000],
    [80, 'fc17', 'io.80', 0xfc17],
    [34, '0000000000000000', 'io.34', '0000000000000000'],
    [5, '02', 'io.5', 2],
    [29, '0e', 'io.29', 14],
  ]

  it.each<Row>(rows)('%d: %s is %s = %s', (id, hex, name, value) => {
    expect(decode(element(id, hex))).toStrictEqual({ [name]: value })
  })

  it('are each in a row above', () => {
    const named = rows.filter(([, , name]) => !name.startsWith('io.')).map(([id]) => id)
    expect(ascending(named)).toEqual(ascending(RUPTELA_ELEMENTS.keys()))
    expect(ascending(RUPTELA_FACTS.map(([id]) => id))).toEqual(ascending(RUPTELA_ELEMENTS.keys()))
  })

  it('are all kept when two of them mean the same', () => {
    expect(decode(element(5, '01'), element(409, '00'), element(7, '01'), element(7, '02'))).toEqual({
      ignition: true,
      'io.409': 0,
      'io.7': 1,
      'io.7.2': 2,
    })
  })
})

/** By its status: type, status, four input bytes, blocks. */
function refrigerator(status: number): string {
  const head = Buffer.from('01000011223344', 'hex')
  head.writeUInt16LE(status, 1)
  return head.toString('hex') + 'b7'.repeat(refrigeratorBytes(status) - head.length)
}

const REFRIGERATORS = [0, 0xffff, 0x8001, ...Array.from({ length: 15 }, (_, bit) => 1 << bit)].map(refrigerator)

describe('tags of Galileosky', () => {
  /** Beside a time and a place, in the order of tags. */
  const packetOf = (id: number, hex: string, more = '') => {
    const tag = `${id.toString(16).padStart(2, '0')}${hex}`
    const place = '2000105e5c3007c00e3203b8d72d05'
    return encodeTagPacket(Buffer.from(id < 0x20 ? `${tag}${place}${more}` : `${place}${tag}${more}`, 'hex'))
  }
  const decode = (id: number, hex: string) => GALILEOSKY.decode(packetOf(id, hex)).records[0]?.attributes

  const eight = (first: number, rowOf: (id: number, nth: number) => readonly [number, string, Attributes]) =>
    Array.from({ length: 8 }, (_, i) => rowOf(first + i, i + 1))

  const rows: readonly (readonly [id: number, hex: string, attributes: Attributes])[] = [
    [0x01, '11', { hardwareVersion: 17 }],
    [0x02, 'df', { firmwareVersion: 223 }],
    [0x04, '46ba', { deviceNumber: 0xba46 }],
    [0x10, 'a406', { archiveNumber: 1700 }],
    [0x35, '05', { hdop: 0.5 }],
    [0x40, '0132', { status: 0x3201, movement: true, ignition: true }],
    [0x40, '0000', { status: 0, movement: false, ignition: false }],
    [0x41, '1d6a', { externalVoltageV: 27.165 }],
    [0x42, '960f', { batteryVoltageV: 3.99 }],
    [0x43, 'f6', { deviceTemperatureC: -10 }],
    [0x44, '00000820', { accelerationXG: -2.753, accelerationYG: 0, accelerationZG: 0 }],
    [0x45, '0300', { outputs: 3 }],
    [0x46, '0c00', { inputs: 12 }],
    [0x47, '0a141e28', { peakAccelerationG: 0.1, peakBrakingG: 0.2, peakCorneringG: 0.3, peakBumpG: 0.4 }],
    ...eight(0x70, (id, nth) => [id, '02f6', { [`temperature${nth}C`]: -10, [`temperature${nth}SensorId`]: 2 }]),
    ...eight(0x80, (id, nth) => [
      id,
      '03f0ff',
      {
        [`hygrometer${nth}SensorId`]: 3,
        [`hygrometer${nth}TemperatureC`]: -16,
        [`hygrometer${nth}HumidityPct`]: 100,
      },
    ]),
    [0x70, '7f80', { 'io.70': 0x807f }],
    [0x90, '12345678', { driverKey: '12345678' }],
    [0x90, '00000000', { 'io.90': 0 }],
    [0xc0, '65000000', { fuelUsedL: 50.5 }],
    [0xc1, '6772401f', { fuelLevelPct: 41.2, coolantTemperatureC: 74, engineSpeedRpm: 1000 }],
    [0xc2, '40e20100', { vehicleOdometerM: 617_280 }],
    [0xd3, '12345678', { driverKey2: '12345678' }],
    [0xd4, '40e20100', { odometerM: 123_456 }],
    [0x50, 'ff00', { 'io.50': 255 }],
    [0xe2, '01020304', { 'io.e2': 0x04030201 }],
    [0xea, '05a1b2c3d4e5', { 'io.ea': 'a1b2c3d4e5' }],
    [0xea, `ff${'a1'.repeat(255)}`, { 'io.ea': 'a1'.repeat(255) }],
    [0xfd, '0102030405060708', { 'io.fd': '0102030405060708' }],
    [0x48, '0180', { 'io.48': 0x8001 }],
    [0x77, '7f80', { 'io.77': 0x807f }],
    [0x70, '7f81', { temperature1C: -127, temperature1SensorId: 127 }],
    [0x88, 'f6', { 'io.88': 0xf6 }],
    [0xd3, '00000000', { 'io.d3': 0 }],
    ...REFRIGERATORS.map((hex): [number, string, Attributes] => [0x5b, hex, { 'io.5b': hex }]),
  ]

  it.each(rows)('%#: of tag %d with %s', (id, hex, attributes) => {
    expect(decode(id, hex)).toStrictEqual(attributes)
  })

  it('are each in a row above, if they are more than their bytes', () => {
    const isNamed = (attributes: Attributes) => Object.keys(attributes).some((name) => !name.startsWith('io.'))
    const named = rows.filter(([, , attributes]) => isNamed(attributes)).map(([id]) => id)
    expect(ascending(named)).toEqual(ascending(GALILEOSKY_TAGS.keys()))
    expect(ascending(GALILEOSKY_NAMED.map((tag) => Number.parseInt(tag, 16)))).toEqual(
      ascending(GALILEOSKY_TAGS.keys()),
    )
  })

  it.each([...GALILEOSKY_LENGTHS].filter(([tag]) => !['03', '20', '30', '33', '34'].includes(tag)))(
    'end where the maker says: %s after %i bytes',
    (tag, bytes) => {
      const id = Number.parseInt(tag, 16)
      const { records } = GALILEOSKY.decode(packetOf(id, 'a5'.repeat(bytes), 'ff'))
      expect(records.at(-1)?.refusal?.code).toBe('invalid_field')
      expect(records[0]?.attributes?.['io.unread']).toBe('ff')
    },
  )

  it('are refused where a refrigerator announces blocks that are not there', () => {
    for (const hex of REFRIGERATORS.filter((whole) => whole.length > 14))
      expect(() => decode(0x5b, hex.slice(0, -2))).toThrow(DecodeError)
  })

  it('tell of the states of their status, where they have one', () => {
    const conditionsOf = (id: number, hex: string) =>
      GALILEOSKY.decode(packetOf(id, hex)).records[0]?.conditions?.map(({ type, attribute, bit }) => [
        type,
        attribute,
        bit,
      ])
    expect(conditionsOf(0x40, '0000')).toEqual([
      ['GEOFENCE_ENTER', 'status', 4],
      ['LOW_BATTERY', 'status', 5],
      ['TAMPER', 'status', 6],
      ['POWER_CUT', 'status', 8],
      ['VIBRATION', 'status', 10],
      ['TAMPER', 'status', 15],
    ])
    expect(conditionsOf(0x41, '1d6a')).toBe(undefined)
  })
})

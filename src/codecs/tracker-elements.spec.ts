import type { Attributes, AttributeValue } from '../model/position.js'
import { DecodeError } from './decode-error.js'
import { encodeRecordsPacket as encodeTagRecords } from './galileosky/encode-records.js'
import { GALILEOSKY } from './galileosky/galileosky-codec.js'
import { encodeRecordsFrame } from './ruptela/encode-records.js'
import { RUPTELA } from './ruptela/ruptela-codec.js'
import type { SentElement } from './sent-record.js'
import { encodeRecordsPacket } from './teltonika/encode-records.js'
import { TELTONIKA } from './teltonika/teltonika-codec.js'
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

  it.each<Row>([
    [1, '01', 'digitalInput1', true],
    [9, '2710', 'analogInput1V', 10],
    [16, '0001e240', 'odometerM', 123_456],
    [17, 'fc18', 'accelerationXG', -1],
    [21, '05', 'gsmSignal', 5],
    [66, '6a1d', 'externalVoltageV', 27.165],
    [67, '0f96', 'batteryVoltageV', 3.99],
    [68, '0064', 'batteryCurrentA', 0.1],
    [72, 'ffffff9c', 'temperature1C', -10],
    [78, '01000012345678ab', 'driverKey', '01000012345678ab'],
    [113, '57', 'batteryLevelPct', 87],
    [179, '00', 'digitalOutput1', false],
    [182, '0009', 'hdop', 0.9],
    [199, '00000064', 'tripOdometerM', 100],
    [239, '01', 'ignition', true],
    [240, '00', 'movement', false],
    [241, '00006599', 'operatorCode', 26_009],
    [256, '57304c3030303030303030303030303031', 'vin', 'W0L00000000000001'],
    [10800, 'ff38', 'beaconTemperature1C', -2],
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
  ])('%d: %s is %s = %s', (id, hex, name, value) => {
    expect(decode(element(id, hex))).toEqual({ [name]: value })
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

  it.each<Row>([
    [2, '01', 'digitalInput1', true],
    [5, '01', 'ignition', true],
    [13, '01', 'movement', true],
    [20, '1388', 'analogInput3V', 5],
    [22, '2710', 'analogInput1V', 10],
    [27, '1f', 'io.27', 31],
    [29, '6a1d', 'externalVoltageV', 27.165],
    [30, '0f96', 'batteryVoltageV', 3.99],
    [34, '01000012345678ab', 'driverKey', '01000012345678ab'],
    [65, '0001e240', 'odometerM', 123_456],
    [78, 'ff9c', 'temperature1C', -10],
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
  ])('%d: %s is %s = %s', (id, hex, name, value) => {
    expect(decode(element(id, hex))).toEqual({ [name]: value })
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

/** Bytes that a refrigerator sends besides the first seven, by the bit of its status that announces them. */
const BLOCKS = [0, 10, 10, 10, 2, 2, 2, 2, 2, 2, 32, 20, 12, 2, 2]

/** By its status: type, status, four input bytes, blocks. */
function refrigerator(status: number): string {
  const head = Buffer.from('01000011223344', 'hex')
  head.writeUInt16LE(status, 1)
  const bytes = BLOCKS.reduce((sum, block, bit) => sum + ((status >> bit) & 1) * block, 0)
  return head.toString('hex') + 'b7'.repeat(bytes)
}

const REFRIGERATORS = [0, 0xffff, 0x8001, ...BLOCKS.map((_, bit) => 1 << bit)].map(refrigerator)

describe('tags of Galileosky', () => {
  const decode = (id: number, hex: string) =>
    attributesOf(GALILEOSKY.decode(encodeTagRecords([recordOf([element(id, hex)])])))

  it.each<readonly [id: number, hex: string, attributes: Attributes]>([
    [0x40, '0132', { status: 0x3201, movement: true, ignition: true }],
    [0x40, '0000', { status: 0, movement: false, ignition: false }],
    [0x41, '1d6a', { externalVoltageV: 27.165 }],
    [0x42, '960f', { batteryVoltageV: 3.99 }],
    [0x43, 'f6', { deviceTemperatureC: -10 }],
    [0x44, '00000820', { accelerationXG: -2.753, accelerationYG: 0, accelerationZG: 0 }],
    [0x45, '0300', { outputs: 3 }],
    [0x46, '0c00', { inputs: 12 }],
    [0x47, '0a141e28', { peakAccelerationG: 0.1, peakBrakingG: 0.2, peakCorneringG: 0.3, peakBumpG: 0.4 }],
    [0x70, '01f6', { temperature1C: -10, temperature1SensorId: 1 }],
    [0x87, '0310ff', { hygrometer8SensorId: 3, hygrometer8TemperatureC: 16, hygrometer8HumidityPct: 100 }],
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
    ...REFRIGERATORS.map((hex): [number, string, Attributes] => [0x5b, hex, { 'io.5b': hex }]),
  ])('%#: of tag %d with %s', (id, hex, attributes) => {
    expect(decode(id, hex)).toEqual(attributes)
  })

  it('are refused where a refrigerator announces blocks that are not there', () => {
    for (const hex of REFRIGERATORS.filter((whole) => whole.length > 14))
      expect(() => decode(0x5b, hex.slice(0, -2))).toThrow(DecodeError)
  })

  it('tell of the states of their status, where they have one', () => {
    const conditionsOf = (id: number, hex: string) =>
      GALILEOSKY.decode(encodeTagRecords([recordOf([element(id, hex)])])).records[0]?.conditions?.map(
        ({ type, attribute, bit }) => [type, attribute, bit],
      )
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

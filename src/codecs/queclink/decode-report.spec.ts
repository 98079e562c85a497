import { DecodeError } from '../decode-error.js'
import type { TrackerRecord } from '../tracker-codec.js'
import { toDecodedAlarm, toDecodedRecord } from '../tracker-report.js'
import { QUECLINK } from './queclink-codec.js'

const IMEI = '135790246811220'
const SENT_AT = Date.parse('2009-02-14T09:32:54.000Z')
/** A position without its cell. */
const BLOCK = '1,4.3,92,70.0,121.354335,31.222073,20090214013254'

function recordsOf(text: string): readonly TrackerRecord[] {
  return QUECLINK.decode(Buffer.from(text, 'latin1')).records
}

function onlyRecord(text: string): TrackerRecord {
  const [record, ...more] = recordsOf(text)
  if (record === undefined) throw new Error('no record')
  expect(more).toEqual([])
  return record
}

const alarmAt = (record: TrackerRecord, receivedAtMs: number) =>
  record.alarm === null ? undefined : toDecodedAlarm(record.alarm, record, { deviceId: IMEI, receivedAtMs })

describe('a Queclink report whose position is empty', () => {
  const placeless = { hasFix: false, latitude: null, longitude: null, speedKmh: null, satellites: null }

  it('is a record without a place, of when it was sent, and an alarm', () => {
    const text = `+RESP:GTSOS,1A0102,${IMEI},,0,0,1,0,,,,,,,0460,0000,18d8,6141,00,88,20090214093254,11F0$`
    const record = onlyRecord(text)
    expect(record).toMatchObject({ ...placeless, timeMs: SENT_AT })
    expect(record.attributes).toEqual({
      report: 'GTSOS',
      timeIsLocal: true,
      mcc: 460,
      mnc: 0,
      lac: 0x18d8,
      cellId: 0x6141,
      'io.4': '0',
      'io.5': '0',
      'io.6': '1',
      'io.18': '00',
      'io.19': '88',
    })
    expect(alarmAt(record, 7)).toMatchObject({
      type: 'SOS',
      timeMs: SENT_AT,
      eventKey: 'queclink.GTSOS.0.20090214093254.11F0',
    })
    const repeated = onlyRecord(text.replace('+RESP', '+BUFF'))
    expect([repeated.discriminator, alarmAt(repeated, 8)?.eventKey]).toEqual([
      record.discriminator,
      'queclink.GTSOS.0.20090214093254.11F0',
    ])
  })

  it('is of its own moment where only its place is masked out, and says what vehicle units say', () => {
    const record = onlyRecord(
      `+RESP:GTFRI,060100,${IMEI},,24100,10,1,1,36.0,90,,,,20090214013254,0262,0001,18d8,6141,00,12.5,,,,95,220000,,,,20090214093254,11F0$`,
    )
    expect(record).toMatchObject({ timeMs: Date.parse('2009-02-14T01:32:54.000Z'), hasFix: false, latitude: null })
    expect([record.speedKmh, record.headingDeg]).toEqual([36, 90])
    expect(record.attributes).toMatchObject({
      externalVoltageV: 24.1,
      odometerM: 12_500,
      batteryLevelPct: 95,
      ignition: true,
    })
    expect(record.attributes?.timeIsLocal).toBeUndefined()
  })

  it.each([
    ['+RESP:GTTOW,040408,IMEI,,,10,1,,,,,,,,,,,,,,,,,,,,', 'TOWING', 'GTTOW.1'],
    ['+RESP:GTHBM,040408,IMEI,,,12,1,,,,,,,,,,,,,,', 'SHARP_TURN', 'GTHBM.1'],
    ['+RESP:GTHBM,1F0301,IMEI,WF0GXXGBBGBM26503,gv500,,12,1,,,,,,,,,,,,,,', 'SHARP_TURN', 'GTHBM.1'],
    ['+RESP:GTSOS,1A0102,IMEI,,3,0,1,rubbish,', 'SOS', 'GTSOS.3'],
    ['+RESP:GTMPF,040408,IMEI,,,,,,,,,,,,,,', 'POWER_CUT', 'GTMPF'],
    ['+RESP:GTCRA,0F0100,IMEI,,00,,,,,,,,,,,,', 'CRASH', 'GTCRA'],
    ['+RESP:GTJDS,040408,IMEI,,2,,,,,,,,,,,,', 'JAMMING', 'GTJDS'],
    // The mileage is a number as well that has nothing behind it.
    ['+RESP:GTGEO,040408,IMEI,,,31,1,0,,,,,,,0460,0000,18d8,6141,00,5,,,,,,,', 'GEOFENCE_ENTER', 'GTGEO.3'],
  ])('tells its alarm: %s…', (head, type, key) => {
    const record = onlyRecord(`${head.replace('IMEI', IMEI)},20090214093254,00A1$`)
    expect([record.timeMs, record.hasFix]).toEqual([SENT_AT, false])
    expect(record.alarm).toEqual({ type, eventKey: `queclink.${key}.20090214093254.00A1`, timeMs: SENT_AT })
  })

  it('is kept also of a type that nobody knows, with all its fields', () => {
    const { attributes } = onlyRecord(`+RESP:GTXYZ,060100,${IMEI},name,one,,three,20090214093254,11F0$`)
    expect(attributes).toEqual({
      report: 'GTXYZ',
      timeIsLocal: true,
      'io.3': 'name',
      'io.4': 'one',
      'io.6': 'three',
    })
  })

  it.each(['GTINF', 'GTVER', 'GTALL', 'GTPNA', 'GTPFA', 'GTGSM', 'GTDAT'])(
    'is none where reports have no position: %s',
    (type) => {
      expect(recordsOf(`+RESP:${type},1A0102,${IMEI},,16,0,20100214093254,11F0$`)).toEqual([])
    },
  )

  it('is refused where it says neither when it was nor when it was sent, and its bytes are kept', () => {
    const record = onlyRecord(`+RESP:GTSOS,1A0102,${IMEI},,0,0,1,0,,,,,,,0460,0000,18d8,6141,00,88,,11F0$`)
    expect(toDecodedRecord(record, IMEI, 0).refusal?.code).toBe('invalid_time')
    expect(alarmAt(record, 7)).toMatchObject({ timeMs: 7, eventKey: 'queclink.GTSOS.0..11F0' })
  })
})

describe('a Queclink position', () => {
  it('without its moment is kept with the time of sending, and is no fix', () => {
    const record = onlyRecord(`+RESP:GTFRI,060100,${IMEI},,,10,1,${BLOCK.slice(0, -14)},,,,,00,,20090214093254,11F0$`)
    expect(record).toMatchObject({ timeMs: SENT_AT, hasFix: false, latitude: 31.222073, longitude: 121.354335 })
    expect(record.attributes?.timeIsLocal).toBe(true)
  })

  it('with a moment that is none is refused, and its alarm is of when it was sent', () => {
    const text = `+RESP:GTSOS,1A0102,${IMEI},,0,0,1,${BLOCK.replace('20090214013254', '20090230013254')},0460,0000,18d8,6141,00,,20090214093254,11F0$`
    const record = onlyRecord(text)
    expect(toDecodedRecord(record, IMEI, 0).refusal?.code).toBe('invalid_time')
    expect(alarmAt(record, 7)).toMatchObject({ type: 'SOS', timeMs: SENT_AT })
  })

  it('of before is that of two alarms, each with its own key; with a current one the kind alone is the key', () => {
    const keyOf = (accuracy: number, sent: string) =>
      onlyRecord(`+RESP:GTSOS,1A0102,${IMEI},,0,0,1,${accuracy}${BLOCK.slice(1)},0460,0000,18d8,6141,00,,${sent}$`)
        .alarm?.eventKey
    expect(keyOf(0, '20090214100000,0001')).toBe('queclink.GTSOS.0.20090214100000.0001')
    expect(keyOf(0, '20090214113000,0007')).toBe('queclink.GTSOS.0.20090214113000.0007')
    expect(keyOf(1, '20090214113000,0007')).toBe('queclink.GTSOS.0')
  })

  it.each([
    ['0460,0003,,', { mcc: 460, mnc: 3 }],
    [',,18d8,6141', { lac: 0x18d8, cellId: 0x6141 }],
    [',,,', {}],
    ['0460,0003,18d8,', { mcc: 460, mnc: 3, lac: 0x18d8 }],
  ])('with a cell of which only "%s" is there leaves what follows in its place', (cell, told) => {
    const { attributes } = onlyRecord(
      `+RESP:GTFRI,060100,${IMEI},,,10,1,${BLOCK},${cell},00,123.4,,,,55,220000,,,,20090214093254,11F0$`,
    )
    expect(attributes).toEqual({
      report: 'GTFRI',
      hdop: 1,
      ...told,
      odometerM: 123_400,
      batteryLevelPct: 55,
      ignition: true,
      movement: true,
      'io.5': '10',
      'io.6': '1',
      'io.18': '00',
    })
  })

  const CELL = '0460,0003,18d8,6141'

  it('is followed by two analogue inputs or three, and then by the battery', () => {
    const levelOf = (inputs: string) =>
      onlyRecord(
        `+RESP:GTFRI,350100,${IMEI},,,10,1,${BLOCK},${CELL},00,1.0,00000:00:00,${inputs},220000,,,,20090214093254,11F0$`,
      ).attributes
    expect(levelOf('100,91,98')).toMatchObject({ batteryLevelPct: 98, 'io.21': '100', 'io.22': '91' })
    const three = levelOf('100,91,55,98')
    expect(three).toMatchObject({ batteryLevelPct: 98, ignition: true, 'io.21': '100', 'io.22': '91', 'io.23': '55' })
    expect(levelOf('100,91,55')?.batteryLevelPct).toBe(55)
    const unknown = onlyRecord(
      `+RESP:GTFRI,350100,${IMEI},,,10,1,${BLOCK},${CELL},00,1.0,,100,91,55,,,20090214093254,11F0$`,
    )
    expect(unknown.attributes).toMatchObject({ 'io.23': '55' })
    expect(unknown.attributes?.batteryLevelPct).toBeUndefined()
  })

  it('that is not counted has no supply before it: a name of digits is a name', () => {
    const { attributes } = onlyRecord(`+RESP:GTIDN,060100,${IMEI},4711,,,${BLOCK},${CELL},00,,20090214093254,11F0$`)
    expect(attributes?.externalVoltageV).toBeUndefined()
    expect(attributes?.['io.3']).toBe('4711')
  })
})

describe('texts in Queclink messages', () => {
  const report = (name: string, block = BLOCK) =>
    Buffer.from(
      `+RESP:GTFRI,060100,${IMEI},${name},,10,1,${block},0460,0003,18d8,6141,00,,20090214093254,11F0$`,
      'latin1',
    )

  it('a name in Latin-1 spoils nothing but its own letters', () => {
    const [record] = QUECLINK.decode(report('M\xfcnchen')).records
    expect(record).toMatchObject({ hasFix: true, latitude: 31.222073 })
    expect(record?.attributes?.['io.3']).toBe('M\ufffdnchen')
  })

  it('a decimal comma makes other fields: nothing of it is a place, and all of it is kept', () => {
    const [record] = QUECLINK.decode(report('', BLOCK.replaceAll('.', ','))).records
    expect(record).toMatchObject({ hasFix: false, latitude: null, timeMs: SENT_AT })
    expect(record?.attributes).toMatchObject({ 'io.13': '121', 'io.14': '354335', 'io.17': '20090214013254' })
  })

  it('an identity of 14 decimal digits is one', () => {
    const text = report('').toString('latin1').replace(IMEI, IMEI.slice(1))
    expect(QUECLINK.decode(Buffer.from(text, 'latin1')).imei).toBe(IMEI.slice(1))
  })

  it('a $ in transparent data leaves two halves, of which neither is a message', () => {
    const whole = Buffer.from(`+RESP:GTDAT,1A0102,${IMEI},GL300,five $ more,20121117112247,032D$`, 'latin1')
    const first = QUECLINK.split(whole)
    if (first.kind !== 'frame') throw new Error('no frame')
    expect(whole.toString('latin1', 0, first.length)).toMatch(/five \$$/)
    expect(QUECLINK.split(whole.subarray(first.length))).toEqual({ kind: 'frame', length: whole.length - first.length })
    for (const half of [whole.subarray(0, first.length), whole.subarray(first.length)])
      expect(() => QUECLINK.decode(half)).toThrow(DecodeError)
  })
})

import { formatTime } from '../../model/time.js'
import { decodeAlarm } from './decode-alarm.js'

const CONTEXT = { deviceId: 'd1', receivedAtMs: 1000, maxFiles: 3 }
const MINIMAL = { type: 'CRASH', time: '2026-11-22T07:30:00Z' }

const decode = (body: unknown) => decodeAlarm(body, CONTEXT)
const alarmOf = (body: unknown) => {
  const { alarm, refusal } = decode(body)
  if (alarm === undefined) throw new Error(JSON.stringify(refusal))
  return alarm
}
const refusalOf = (body: unknown) => {
  const { refusal } = decode(body)
  return refusal === undefined ? 'taken' : [refusal.code, ...refusal.errors.map(({ path, code }) => `${path}:${code}`)]
}

describe('decodeAlarm', () => {
  it('takes what a unit must send, and leaves the rest unset', () => {
    expect(alarmOf(MINIMAL)).toEqual({
      deviceId: 'd1',
      type: 'CRASH',
      timeMs: Date.parse('2026-11-22T07:30:00Z'),
      eventKey: '',
      receivedAtMs: 1000,
      latitude: null,
      longitude: null,
      speedKmh: null,
      attributes: null,
      fileNames: [],
    })
  })

  it('takes everything that a unit may send', () => {
    const body = {
      type: 'overSpeed',
      time: 1_795_332_600_000,
      latitude: -90,
      longitude: 180,
      speed: 131.5,
      files: ['b.mp4', 'a.mp4', 'b.mp4'],
      attributes: { eventKey: 'front', limit: 100 },
      firmware: 'unknown keys are ignored',
    }
    expect(alarmOf(body)).toEqual({
      deviceId: 'd1',
      type: 'OVERSPEED',
      timeMs: 1_795_332_600_000,
      eventKey: 'front',
      receivedAtMs: 1000,
      latitude: -90,
      longitude: 180,
      speedKmh: 131.5,
      attributes: { eventKey: 'front', limit: 100 },
      fileNames: ['b.mp4', 'a.mp4'],
    })
  })

  it('takes null for absent', () => {
    const nulls = { latitude: null, longitude: null, speed: null, files: null, attributes: null }
    expect(alarmOf({ ...MINIMAL, ...nulls })).toEqual(alarmOf(MINIMAL))
  })

  it.each([
    ['2026-11-22T24:00:00Z', '2026-11-23T00:00:00.000Z'],
    ['2026-11-22T23:59:60Z', '2026-11-22T23:59:59.999Z'],
    ['2026-03-29T02:30:00+02:00', '2026-03-29T00:30:00.000Z'],
    ['2026-11-22T00:00:00.1239+01:00', '2026-11-21T23:00:00.123Z'],
    [0, '1970-01-01T00:00:00.000Z'],
    ['1980-01-06T00:00:00Z', '1980-01-06T00:00:00.000Z'],
    [1_795_332_600_000_000, '+058861-10-28T12:00:00.000Z'],
  ])('takes the time %p, however strange', (time, moment) => {
    expect(formatTime(alarmOf({ ...MINIMAL, time }).timeMs)).toBe(moment)
  })

  it('makes one key of a number or truth and its text, and none of nothing', () => {
    const keyOf = (eventKey: unknown) => alarmOf({ ...MINIMAL, attributes: { eventKey } }).eventKey
    expect([7, '7', 0, '', ' 7', true, 'true', false].map(keyOf)).toEqual([
      '7',
      '7',
      '0',
      '',
      ' 7',
      'true',
      'true',
      'false',
    ])
    expect(alarmOf({ ...MINIMAL, attributes: { peak: 1 } }).eventKey).toBe('')
  })

  it('escapes a key that no database would give back as it was', () => {
    const keyOf = (eventKey: string) => alarmOf({ ...MINIMAL, attributes: { eventKey } }).eventKey
    const keys = ['a\u0000b', '\ud800', '\udfff', '\u{1F600}', 'a'].map(keyOf)
    expect(keys).toEqual(['"a\\u0000b"', '"\\ud800"', '"\\udfff"', '\u{1F600}', 'a'])
  })

  it('gives names of files in NFC, once each, in any script', () => {
    const { fileNames } = alarmOf({ ...MINIMAL, files: ['Mu\u0308nchen.mp4', 'M\u00fcnchen.mp4', '行车记录.mp4'] })
    expect(fileNames).toEqual(['M\u00fcnchen.mp4', '行车记录.mp4'])
  })

  it('takes no attribute for a fault of its own', () => {
    const attributes = { path: 'type', code: 'unknown_alarm_type', message: 'no' }
    expect(alarmOf({ ...MINIMAL, attributes }).attributes).toEqual(attributes)
  })

  it.each<[unknown, string[]]>([
    [undefined, ['invalid_request', ':invalid_field']],
    [[MINIMAL], ['invalid_request', ':invalid_field']],
    [Buffer.from('x'), ['invalid_request', ':invalid_field']],
    [{ ...MINIMAL, type: 'UFO' }, ['unknown_alarm_type', 'type:unknown_alarm_type']],
    [{ ...MINIMAL, type: 'ſos' }, ['unknown_alarm_type', 'type:unknown_alarm_type']],
    [{ ...MINIMAL, type: 'ıdling' }, ['unknown_alarm_type', 'type:unknown_alarm_type']],
    [{ ...MINIMAL, type: undefined }, ['invalid_request', 'type:invalid_field']],
    [{ ...MINIMAL, type: 7 }, ['invalid_request', 'type:invalid_field']],
    [{ ...MINIMAL, type: 'toString' }, ['unknown_alarm_type', 'type:unknown_alarm_type']],
    [{ ...MINIMAL, time: undefined }, ['invalid_request', 'time:invalid_time']],
    [{ ...MINIMAL, time: '2026-11-22' }, ['invalid_request', 'time:invalid_time']],
    [{ ...MINIMAL, time: '2026-02-30T00:00:00Z' }, ['invalid_request', 'time:invalid_time']],
    [{ ...MINIMAL, latitude: 48 }, ['invalid_request', 'longitude:invalid_field']],
    [{ ...MINIMAL, longitude: 11, latitude: null }, ['invalid_request', 'latitude:invalid_field']],
    [{ ...MINIMAL, latitude: 90.1, longitude: 11 }, ['invalid_request', 'latitude:invalid_field']],
    [{ ...MINIMAL, latitude: 48, longitude: '11' }, ['invalid_request', 'longitude:invalid_field']],
    [{ ...MINIMAL, speed: -1 }, ['invalid_request', 'speed:invalid_field']],
    [{ ...MINIMAL, speed: Number.NaN }, ['invalid_request', 'speed:invalid_field']],
    [{ ...MINIMAL, attributes: [] }, ['invalid_request', 'attributes:invalid_field']],
    [{ ...MINIMAL, attributes: { a: null } }, ['invalid_request', 'attributes:invalid_field']],
    [{ ...MINIMAL, attributes: { a: 'x'.repeat(4096) } }, ['invalid_request', 'attributes:attributes_too_large']],
    [{ ...MINIMAL, files: 'a.mp4' }, ['invalid_request', 'files:invalid_field']],
    [{ ...MINIMAL, files: ['a', 'b', 'c', 'd'] }, ['invalid_request', 'files:invalid_field']],
    [{ ...MINIMAL, files: ['a.mp4', '../b.mp4'] }, ['invalid_file_name', 'files.1:invalid_file_name']],
    [{ ...MINIMAL, files: [7] }, ['invalid_file_name', 'files.0:invalid_file_name']],
    [
      { files: [''], type: 'UFO' },
      ['unknown_alarm_type', 'type:unknown_alarm_type', 'time:invalid_time', 'files.0:invalid_file_name'],
    ],
  ])('refuses %j', (body, refusal) => {
    expect(refusalOf(body)).toEqual(refusal)
  })

  it('counts names after folding repeats', () => {
    expect(alarmOf({ ...MINIMAL, files: ['a', 'b', 'c', 'a', 'b'] }).fileNames).toEqual(['a', 'b', 'c'])
  })
})

import { toDecodedRecord } from '../tracker-report.js'
import { encodeUnitFrame } from './encode-records.js'
import { RUPTELA } from './ruptela-codec.js'

const IMEI = '868324023580306'
const AT_MS = Date.UTC(2026, 4, 17, 12)
const TIME = (AT_MS / 1000).toString(16)
const PLACE = '06e60bf81cb12304'
const OBD = `ff${TIME}${PLACE}01${Buffer.from('P0301').toString('hex')}`
const J1939 = `01${TIME}${'80000000'.repeat(2)}02005b0304ff`
const PAYLOAD_AT = 11

const decode = (hex: string) => {
  const frame = encodeUnitFrame(IMEI, 0x09, Buffer.from(hex, 'hex'))
  const { answers, records } = RUPTELA.decode(frame)
  expect(answers.settled?.toString('hex')).toBe('00026d01c4a4')
  return { frame, records }
}

describe('trouble codes of Ruptela trackers', () => {
  it('are records without a fix, each with its time, its place and what it says', () => {
    const { frame, records } = decode(`02${OBD}${J1939}`)
    expect(records).toMatchObject([
      {
        timeMs: AT_MS,
        hasFix: false,
        latitude: 48.1370884,
        longitude: 11.573964,
        attributes: { faultSource: 'OBD', faultCode: 'P0301', faultStatus: 'current' },
      },
      {
        timeMs: AT_MS,
        hasFix: false,
        latitude: null,
        longitude: null,
        attributes: { faultSource: 'J1939', faultCode: '005b0304ff', faultStatus: 'history' },
      },
    ])
    expect(records.map(({ span }) => frame.toString('hex', ...span))).toEqual([OBD, J1939])
    expect(records[0]?.discriminator).not.toBe(records[1]?.discriminator)
    const again = decode(`01${OBD}`).records
    expect(again.map(({ discriminator }) => discriminator)).toEqual([records[0]?.discriminator])
  })

  it.each([
    ['one is missing', `02${OBD}`, 1],
    ['one is cut', `01${OBD.slice(2)}`, 0],
    ['something is left', `01${OBD}00`, 1],
    ['none is announced', `00${OBD}`, 0],
  ])('of which %s are refused and kept whole, beside those that can be read', (_, hex, read) => {
    const { frame, records } = decode(hex)
    expect(records.map((record) => toDecodedRecord(record, IMEI, 0).refusal?.code)).toEqual([
      ...Array.from({ length: read }, () => undefined),
      'invalid_field',
    ])
    expect(records.at(-1)?.span).toEqual([PAYLOAD_AT, frame.length - 2])
  })

  it('may be none', () => {
    expect(decode('').records).toEqual([])
    expect(decode('00').records).toEqual([])
  })
})

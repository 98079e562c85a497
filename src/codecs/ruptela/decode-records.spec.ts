import { encodePartsFrame, type SentPart } from '../../../test/support/ruptela-parts.js'
import { RUPTELA } from './ruptela-codec.js'

const IMEI = '868324023580306'
const NOON_MS = Date.UTC(2026, 4, 17, 12)
/** Length, IMEI, command, whether more follow, and count stand before the records; the checksum after them. */
const RECORDS_AT = 13
const CHECKSUM_BYTES = 2

const partOf = (part: number, parts: number, timeMs = NOON_MS): SentPart => ({
  timeMs,
  parts,
  part,
  elements: [{ id: 100 + part, raw: Buffer.of(part) }],
})
const decode = (...parts: SentPart[]) => {
  const frame = encodePartsFrame(IMEI, parts)
  return { frame, records: RUPTELA.decode(frame).records }
}

describe('where a record of a Ruptela unit lies in its frame', () => {
  it('is from its first part to its last, so that what is refused is kept whole', () => {
    const { frame, records } = decode(partOf(0, 3), partOf(1, 3), partOf(2, 3))
    expect(records.map(({ span }) => span)).toEqual([[RECORDS_AT, frame.length - CHECKSUM_BYTES]])
  })

  it('takes in what stands between its parts', () => {
    const { frame, records } = decode(partOf(0, 2), partOf(0, 1, NOON_MS + 1000), partOf(1, 2))
    const length = (frame.length - CHECKSUM_BYTES - RECORDS_AT) / 3
    expect(records.map(({ span }) => span)).toEqual([
      [RECORDS_AT, RECORDS_AT + 3 * length],
      [RECORDS_AT + length, RECORDS_AT + 2 * length],
    ])
  })
})

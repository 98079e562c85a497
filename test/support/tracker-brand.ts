import {
  encodeRecordsPacket as encodeGalileosky,
  encodeHeadPacket,
} from '../../src/codecs/galileosky/encode-records.js'
import { GALILEOSKY } from '../../src/codecs/galileosky/galileosky-codec.js'
import { encodeFixReport, encodeHeartbeat } from '../../src/codecs/queclink/encode-report.js'
import { QUECLINK } from '../../src/codecs/queclink/queclink-codec.js'
import { encodeRecordsFrame, encodeUnitFrame } from '../../src/codecs/ruptela/encode-records.js'
import { RUPTELA } from '../../src/codecs/ruptela/ruptela-codec.js'
import type { SentRecord } from '../../src/codecs/sent-record.js'
import { encodeLogin, encodeRecordsPacket as encodeTeltonika } from '../../src/codecs/teltonika/encode-records.js'
import { TELTONIKA } from '../../src/codecs/teltonika/teltonika-codec.js'
import type { TrackerCodec } from '../../src/codecs/tracker-codec.js'

/** What a unit sends, and the bytes that it is to be answered with. */
export interface Exchange {
  readonly bytes: Buffer
  readonly answer: string
}

/** What the units of a brand say, and what they must hear. The answers are written down here once more, by the makers' documents. */
export interface TrackerBrand {
  readonly protocol: string
  readonly codec: TrackerCodec
  /** What a unit says first; undefined where every message names its sender. */
  hello(imei: string): Exchange | undefined
  /** A message of records. @param count tells messages of one unit apart, where the protocol numbers them */
  records(imei: string, records: readonly SentRecord[], count: number): Exchange
  /** Something that is answered and brings nothing to store, as one who has said hello may send it. */
  sign(imei: string): Exchange
}

const hexOf = (text: string) => Buffer.from(text, 'latin1').toString('hex')

export const TELTONIKA_UNITS: TrackerBrand = {
  protocol: 'teltonika',
  codec: TELTONIKA,
  hello: (imei) => ({ bytes: encodeLogin(imei), answer: '01' }),
  records: (_imei, records) => ({
    bytes: encodeTeltonika('8', records),
    answer: records.length.toString(16).padStart(8, '0'),
  }),
  sign: () => ({ bytes: encodeTeltonika('8', []), answer: '00000000' }),
}

export const QUECLINK_UNITS: TrackerBrand = {
  protocol: 'queclink',
  codec: QUECLINK,
  hello: () => undefined,
  records: (imei, records, count) => {
    const bytes = encodeFixReport(imei, records, count)
    return { bytes, answer: hexOf(`+SACK:${bytes.toString('latin1').slice(-5)}`) }
  },
  sign: (imei) => ({ bytes: encodeHeartbeat(imei, Date.now(), 0x11f0), answer: hexOf('+SACK:GTHBD,060100,11F0$') }),
}

export const RUPTELA_UNITS: TrackerBrand = {
  protocol: 'ruptela',
  codec: RUPTELA,
  hello: () => undefined,
  records: (imei, records) => ({ bytes: encodeRecordsFrame(imei, true, records), answer: '0002640113bc' }),
  sign: (imei) => ({ bytes: encodeUnitFrame(imei, 0x10, Buffer.alloc(0)), answer: '00027401862d' }),
}

const confirmed = (bytes: Buffer): Exchange => ({ bytes, answer: `02${bytes.subarray(-2).toString('hex')}` })

export const GALILEOSKY_UNITS: TrackerBrand = {
  protocol: 'galileosky',
  codec: GALILEOSKY,
  hello: (imei) => confirmed(encodeHeadPacket(imei)),
  records: (_imei, records) => confirmed(encodeGalileosky(records)),
  sign: (imei) => confirmed(encodeHeadPacket(imei)),
}

export const TRACKER_BRANDS: readonly TrackerBrand[] = [
  TELTONIKA_UNITS,
  QUECLINK_UNITS,
  RUPTELA_UNITS,
  GALILEOSKY_UNITS,
]

const START_MS = Math.floor(Date.now() / 1000) * 1000 - 86_400_000

/** A record whose values tell which it is; times are whole seconds since a day ago. */
export function sentRecord(n: number, changes: Partial<SentRecord> = {}): SentRecord {
  return {
    timeMs: START_MS + n * 1000,
    latitude: (480_000 + (n % 10_000)) / 10_000,
    longitude: 11.5,
    altitudeM: 500 + (n % 100),
    speedKmh: n % 200,
    headingDeg: n % 360,
    satellites: 9,
    eventId: 0,
    elements: [],
    ...changes,
  }
}

/** As many as `count`, of one second each, from the n-th on. */
export function sentRecords(n: number, count: number): SentRecord[] {
  return Array.from({ length: count }, (_, i) => sentRecord(n + i))
}

import { ByteWriter } from '../byte-writer.js'
import { CRC16_MODBUS } from '../crc16.js'
import type { SentRecord } from '../sent-record.js'
import { PACKET } from './framing.js'

const COORDINATE_DIGITS = 1e6
const MOST_SATELLITES = 15
const NO_GOOD_FIX = 1

/** The first packet of a connection, which names the unit. */
export function encodeHeadPacket(imei: string): Buffer {
  const tags = new ByteWriter().uint(0x01, 1).uint(0x82, 1).uint(0x02, 1).uint(0x10, 1)
  return encodeTagPacket(tags.uint(0x03, 1).bytes(Buffer.from(imei, 'latin1')).toBuffer())
}

/** @param records as many as fit into 1,000 bytes; elements are tags with values as the format has them, ascending, above 0x35 */
export function encodeRecordsPacket(records: readonly SentRecord[]): Buffer {
  const writer = new ByteWriter()
  for (const record of records) encodeRecord(writer, record)
  return encodeTagPacket(writer.toBuffer())
}

export function encodeTagPacket(tags: Uint8Array): Buffer {
  const packet = new ByteWriter().uint(PACKET, 1).uintLe(tags.length, 2).bytes(tags).toBuffer()
  return new ByteWriter().bytes(packet).uintLe(CRC16_MODBUS(packet), 2).toBuffer()
}

function encodeRecord(writer: ByteWriter, record: SentRecord): void {
  const quality = record.satellites === 0 ? NO_GOOD_FIX : 0
  writer
    .uint(0x20, 1)
    .uintLe(Math.floor(record.timeMs / 1000), 4)
    .uint(0x30, 1)
    .uint((quality << 4) | Math.min(record.satellites, MOST_SATELLITES), 1)
    .intLe(Math.round(record.latitude * COORDINATE_DIGITS), 4)
    .intLe(Math.round(record.longitude * COORDINATE_DIGITS), 4)
    .uint(0x33, 1)
    .uintLe(Math.round(record.speedKmh * 10), 2)
    .uintLe(Math.round(record.headingDeg * 10) % 3600, 2)
    .uint(0x34, 1)
    .intLe(Math.round(record.altitudeM), 2)
  for (const { id, raw } of record.elements) writer.uint(id, 1).bytes(raw)
}

import { ByteWriter } from '../byte-writer.js'
import type { SentElement, SentRecord } from '../sent-record.js'
import { encodePacket } from './encode-command.js'

export type RecordsCodec = '8' | '8E' | '16'

const CODEC_IDS: Readonly<Record<RecordsCodec, number>> = { '8': 0x08, '8E': 0x8e, '16': 0x10 }
const FIXED_SIZES = [1, 2, 4, 8]
const COORDINATE_DIGITS = 1e7
/** Generation type of Codec 16: periodical. */
const PERIODICAL = 7
const PRIORITY_LOW = 0
const NOT_USABLE = 1

/** As a unit of the brand opens a connection. */
export function encodeLogin(imei: string): Buffer {
  return new ByteWriter().uint(imei.length, 2).bytes(Buffer.from(imei, 'latin1')).toBuffer()
}

/** A packet for a connection. @param records 0..255 */
export function encodeRecordsPacket(codec: RecordsCodec, records: readonly SentRecord[]): Buffer {
  return encodePacket(encodeData(codec, records))
}

/** A packet as a datagram; its answer repeats both ids. */
export function encodeRecordsDatagram(
  imei: string,
  ids: { readonly packetId: number; readonly avlPacketId: number },
  codec: RecordsCodec,
  records: readonly SentRecord[],
): Buffer {
  const body = new ByteWriter()
    .uint(ids.packetId, 2)
    .uint(NOT_USABLE, 1)
    .uint(ids.avlPacketId, 1)
    .bytes(encodeLogin(imei), encodeData(codec, records))
    .toBuffer()
  return new ByteWriter().uint(body.length, 2).bytes(body).toBuffer()
}

function encodeData(codec: RecordsCodec, records: readonly SentRecord[]): Buffer {
  const writer = new ByteWriter().uint(CODEC_IDS[codec], 1).uint(records.length, 1)
  for (const record of records) encodeRecord(writer, codec, record)
  return writer.uint(records.length, 1).toBuffer()
}

function encodeRecord(writer: ByteWriter, codec: RecordsCodec, record: SentRecord): void {
  const idBytes = codec === '8' ? 1 : 2
  const countBytes = codec === '8E' ? 2 : 1
  writer
    .bigUint64(BigInt(Math.round(record.timeMs)))
    .uint(PRIORITY_LOW, 1)
    .int(Math.round(record.longitude * COORDINATE_DIGITS), 4)
    .int(Math.round(record.latitude * COORDINATE_DIGITS), 4)
    .int(Math.round(record.altitudeM), 2)
    .uint(Math.round(record.headingDeg) % 360, 2)
    .uint(record.satellites, 1)
    .uint(Math.round(record.speedKmh), 2)
    .uint(record.eventId, idBytes)
  if (codec === '16') writer.uint(PERIODICAL, 1)
  writer.uint(record.elements.length, countBytes)
  const sizeOf = ({ raw }: SentElement) => raw.length
  for (const size of FIXED_SIZES) {
    const group = record.elements.filter((element) => sizeOf(element) === size)
    writer.uint(group.length, countBytes)
    for (const { id, raw } of group) writer.uint(id, idBytes).bytes(raw)
  }
  if (codec !== '8E') return
  const variable = record.elements.filter((element) => !FIXED_SIZES.includes(sizeOf(element)))
  writer.uint(variable.length, 2)
  for (const { id, raw } of variable) writer.uint(id, 2).uint(raw.length, 2).bytes(raw)
}

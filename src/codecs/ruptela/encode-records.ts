import { ByteWriter } from '../byte-writer.js'
import { CRC16_KERMIT } from '../crc16.js'
import type { SentRecord } from '../sent-record.js'

const SIZES = [1, 2, 4, 8]
const COORDINATE_DIGITS = 1e7
const HDOP_TENTHS = 10
const NO_FIX_HDOP = 0

/** A frame of a unit: it names it. */
export function encodeUnitFrame(imei: string, command: number, payload: Uint8Array): Buffer {
  const body = new ByteWriter().bigUint64(BigInt(imei)).uint(command, 1).bytes(payload).toBuffer()
  return new ByteWriter().uint(body.length, 2).bytes(body).uint(CRC16_KERMIT(body), 2).toBuffer()
}

/**
 * @param isExtended as command `44`, else as `01`
 * @param records as many as a frame of 1,024 bytes holds; each is complete
 */
export function encodeRecordsFrame(imei: string, isExtended: boolean, records: readonly SentRecord[]): Buffer {
  const writer = new ByteWriter().uint(0, 1).uint(records.length, 1)
  for (const record of records) encodeRecord(writer, isExtended, record)
  return encodeUnitFrame(imei, isExtended ? 0x44 : 0x01, writer.toBuffer())
}

function encodeRecord(writer: ByteWriter, isExtended: boolean, record: SentRecord): void {
  writer.uint(Math.floor(record.timeMs / 1000), 4).uint(0, 1)
  if (isExtended) writer.uint(0, 1)
  writer
    .uint(0, 1)
    .int(Math.round(record.longitude * COORDINATE_DIGITS), 4)
    .int(Math.round(record.latitude * COORDINATE_DIGITS), 4)
    .int(Math.round(record.altitudeM * 10), 2)
    .uint(Math.round(record.headingDeg * 100) % 36_000, 2)
    .uint(record.satellites, 1)
    .uint(Math.round(record.speedKmh), 2)
    .uint(record.satellites === 0 ? NO_FIX_HDOP : HDOP_TENTHS, 1)
    .uint(record.eventId, isExtended ? 2 : 1)
  for (const size of SIZES) {
    const group = record.elements.filter(({ raw }) => raw.length === size)
    writer.uint(group.length, 1)
    for (const { id, raw } of group) writer.uint(id, isExtended ? 2 : 1).bytes(raw)
  }
}

import { ByteWriter } from '../../src/codecs/byte-writer.js'
import { encodeUnitFrame } from '../../src/codecs/ruptela/encode-records.js'
import type { SentElement } from '../../src/codecs/sent-record.js'

const EXTENDED_RECORDS = 0x44
const SIZES = [1, 2, 4, 8]

/** One part of a moment of a Ruptela unit. */
export interface SentPart {
  readonly timeMs: number
  /** Tells moments of one second apart. */
  readonly timeExtension?: number
  readonly parts: number
  /** From 0. */
  readonly part: number
  readonly eventId?: number
  readonly elements: readonly SentElement[]
}

/** A packet of extended records at one place near Vilnius. */
export function encodePartsFrame(imei: string, parts: readonly SentPart[]): Buffer {
  const writer = new ByteWriter().uint(0, 1).uint(parts.length, 1)
  for (const one of parts) {
    writer.uint(Math.floor(one.timeMs / 1000), 4).uint(one.timeExtension ?? 0, 1)
    writer.uint(((one.parts - 1) << 4) | one.part, 1).uint(0, 1)
    writer.int(252_797_000, 4).int(546_872_000, 4).int(1190, 2).uint(9000, 2).uint(9, 1).uint(61, 2).uint(8, 1)
    writer.uint(one.eventId ?? 0, 2)
    for (const size of SIZES) {
      const group = one.elements.filter(({ raw }) => raw.length === size)
      writer.uint(group.length, 1)
      for (const { id, raw } of group) writer.uint(id, 2).bytes(raw)
    }
  }
  return encodeUnitFrame(imei, EXTENDED_RECORDS, writer.toBuffer())
}

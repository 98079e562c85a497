import { readFileSync } from 'node:fs'
import { CRC16_ARC, CRC16_KERMIT, CRC16_MODBUS } from '../../src/codecs/crc16.js'
import { GALILEOSKY } from '../../src/codecs/galileosky/galileosky-codec.js'
import { QUECLINK } from '../../src/codecs/queclink/queclink-codec.js'
import { RUPTELA } from '../../src/codecs/ruptela/ruptela-codec.js'
import { TELTONIKA } from '../../src/codecs/teltonika/teltonika-codec.js'
import type { FuzzTarget } from './codec-fuzz.js'

/** Every codec, with all real and all malformed frames to start from. */
export const FUZZ_TARGETS: readonly FuzzTarget[] = [
  { codec: TELTONIKA, seeds: seedsOf('teltonika'), reseal: resealTeltonika, resum: resumTeltonika },
  { codec: QUECLINK, seeds: seedsOf('queclink'), reseal: (frame) => frame, resum: (frame) => frame },
  { codec: RUPTELA, seeds: seedsOf('ruptela'), reseal: resealRuptela, resum: resumRuptela },
  { codec: GALILEOSKY, seeds: seedsOf('galileosky'), reseal: resealGalileosky, resum: resumGalileosky },
]

function seedsOf(brand: string): Buffer[] {
  const all = ['frames', 'malformed'].flatMap(
    (kind) => JSON.parse(readFileSync(`test/data/trackers/${kind}/${brand}.json`, 'utf8')) as { hex: string }[],
  )
  return all.map(({ hex }) => Buffer.from(hex, 'hex'))
}

/** The checksum stands where the length says, if there is as much. */
function resumTeltonika(frame: Buffer): Buffer {
  if (frame.length < 12) return frame
  const end = 8 + frame.readUInt32BE(4)
  if (end + 4 > frame.length) return frame
  const sealed = Buffer.from(frame)
  sealed.writeUInt32BE(CRC16_ARC(sealed, 8, end), end)
  return sealed
}

function resealTeltonika(frame: Buffer): Buffer {
  if (frame.length < 12) return frame
  const sealed = Buffer.from(frame)
  sealed.writeUInt32BE(0, 0)
  sealed.writeUInt32BE(frame.length - 12, 4)
  return resumTeltonika(sealed)
}

function resumRuptela(frame: Buffer): Buffer {
  if (frame.length < 4) return frame
  const end = 2 + frame.readUInt16BE(0)
  if (end + 2 > frame.length) return frame
  const sealed = Buffer.from(frame)
  sealed.writeUInt16BE(CRC16_KERMIT(sealed, 2, end), end)
  return sealed
}

function resealRuptela(frame: Buffer): Buffer {
  if (frame.length < 4 || frame.length > 0xffff) return frame
  const sealed = Buffer.from(frame)
  sealed.writeUInt16BE(frame.length - 4, 0)
  return resumRuptela(sealed)
}

function resumGalileosky(frame: Buffer): Buffer {
  if (frame.length < 5) return frame
  const end = 3 + (frame.readUInt16LE(1) & 0x7fff)
  if (end + 2 > frame.length) return frame
  const sealed = Buffer.from(frame)
  sealed.writeUInt16LE(CRC16_MODBUS(sealed, 0, end), end)
  return sealed
}

function resealGalileosky(frame: Buffer): Buffer {
  if (frame.length < 5 || frame.length > 0x7fff) return frame
  const sealed = Buffer.from(frame)
  sealed.writeUInt16LE(frame.length - 5, 1)
  return resumGalileosky(sealed)
}

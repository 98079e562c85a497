import type { CommandOrder } from '../../model/command.js'
import { findHostObstacle } from '../command-words.js'
import { CRC16_MODBUS } from '../crc16.js'
import type { CommandTarget, EncodedCommand, UnsupportedCommand } from '../tracker-codec.js'
import { encodeCyrillic } from './cyrillic.js'
import { COMMAND_NUMBER, IMEI, TEXT } from './decode-records.js'
import { PACKET } from './framing.js'

const DEVICE_NUMBER = 0x04
/** Its length is one byte. */
const LONGEST_TEXT = 255
const LONGEST_HOST = 64

/** What the answer to the command of this number is known by. */
export function replyKeyOf(number: number): string {
  return String(number)
}

/**
 * RESET and REBOOT both restart the unit, which keeps its settings. The interval is that of the moving and of the standing unit.
 * @source Galileosky, list of commands: reset, wrperiod, serverip
 */
export function encodeGalileoskyCommand(
  { type, params }: Pick<CommandOrder, 'type' | 'params'>,
  { imei, serial }: CommandTarget,
): EncodedCommand | UnsupportedCommand {
  switch (type) {
    case 'RESET':
    case 'REBOOT':
      return encodeText(imei, serial, 'reset')
    case 'SET_INTERVAL':
      return encodeText(imei, serial, `wrperiod ${params.seconds},${params.seconds}`)
    case 'SET_SERVER':
      return (
        findHostObstacle(String(params.host), LONGEST_HOST) ??
        encodeText(imei, serial, `serverip ${params.host},${params.port}`)
      )
    case 'CUSTOM':
      return encodeText(imei, serial, String(params.text))
    case 'REQUEST_VIDEO':
      return { unsupported: 'Galileosky trackers have no command for it' }
  }
}

/**
 * A packet to the device; it obeys when the IMEI is its own.
 * @param imei 15 digits
 * @param words at most 255 bytes
 */
export function encodeCommandPacket(imei: string, number: number, words: Buffer): Buffer {
  const tags = Buffer.alloc(1 + imei.length + 3 + 5 + 2 + words.length)
  let at = tags.writeUInt8(IMEI, 0)
  at += tags.write(imei, at, 'latin1')
  // Device number 0: the IMEI decides.
  at = tags.writeUInt8(DEVICE_NUMBER, at) + 2
  at = tags.writeUInt8(COMMAND_NUMBER, at)
  at = tags.writeUInt32LE(number, at)
  at = tags.writeUInt8(TEXT, at)
  at = tags.writeUInt8(words.length, at)
  words.copy(tags, at)
  const packet = Buffer.alloc(tags.length + 5)
  packet.writeUInt8(PACKET, 0)
  packet.writeUInt16LE(tags.length, 1)
  tags.copy(packet, 3)
  packet.writeUInt16LE(CRC16_MODBUS(packet, 0, packet.length - 2), packet.length - 2)
  return packet
}

function encodeText(imei: string, number: number, text: string): EncodedCommand | UnsupportedCommand {
  const words = encodeCyrillic(text)
  if (words === undefined)
    return { unsupported: 'a text has only characters of code page 1251, and no control characters' }
  if (words.length > LONGEST_TEXT) return { unsupported: `a text has at most ${LONGEST_TEXT} characters` }
  if (!/^\d{15}$/.test(imei)) return { unsupported: 'the device must have an IMEI of 15 digits' }
  return { bytes: encodeCommandPacket(imei, number, words), replyKey: replyKeyOf(number), isNumbered: true }
}

import type { CommandOrder } from '../../model/command.js'
import { findHostObstacle, findTextObstacle } from '../command-words.js'
import { CRC16_ARC } from '../crc16.js'
import type { CommandTarget, EncodedCommand, UnsupportedCommand } from '../tracker-codec.js'
import { CODEC_12, CODEC_14, REPLY_KEY, TYPE_COMMAND } from './decode-command-message.js'
import { FRAME_BYTES, HEADER_BYTES } from './framing.js'

/** The longest text that the brand's own tools send. */
const LONGEST_TEXT = 1000
const LONGEST_HOST = 55

/**
 * The words for an order. RESET and REBOOT both restart the unit, which keeps its settings; the brand's own "reset to defaults" is never
 * sent. The interval is that of the moving unit in its home network, in others and in unknown ones; the server, the first one with its
 * port, over TCP.
 * @source Teltonika, SMS and GPRS commands of the FMB family: cpureset, setparam
 */
export function encodeTeltonikaCommand(
  { type, params }: Pick<CommandOrder, 'type' | 'params'>,
  _target: CommandTarget,
): EncodedCommand | UnsupportedCommand {
  switch (type) {
    case 'RESET':
    case 'REBOOT':
      return encodeText('cpureset')
    case 'SET_INTERVAL':
      return encodeText(`setparam 10050:${params.seconds};10150:${params.seconds};10250:${params.seconds}`)
    case 'SET_SERVER':
      return (
        findHostObstacle(String(params.host), LONGEST_HOST) ??
        encodeText(`setparam 2004:${params.host};2005:${params.port};2006:0`)
      )
    case 'CUSTOM':
      return encodeText(String(params.text))
    case 'REQUEST_VIDEO':
      return { unsupported: 'Teltonika trackers have no command for it' }
  }
}

/** Wraps data into a packet. */
export function encodePacket(data: Uint8Array): Buffer {
  const packet = Buffer.alloc(data.length + FRAME_BYTES)
  packet.writeUInt32BE(data.length, 4)
  packet.set(data, HEADER_BYTES)
  packet.writeUInt32BE(CRC16_ARC(data), HEADER_BYTES + data.length)
  return packet
}

/** A command of Codec 12. */
export function encodeCodec12(text: string): Buffer {
  return encodeMessage(CODEC_12, Buffer.from(text, 'latin1'))
}

/**
 * A command of Codec 14, which names the unit: another one refuses it. Newer units only, so that orders go out as Codec 12.
 * @param imei 15 digits
 */
export function encodeCodec14(imei: string, text: string): Buffer {
  return encodeMessage(CODEC_14, Buffer.concat([Buffer.from(`0${imei}`, 'hex'), Buffer.from(text, 'latin1')]))
}

function encodeMessage(codec: number, payload: Buffer): Buffer {
  const data = Buffer.alloc(payload.length + 8)
  data.writeUInt8(codec, 0)
  data.writeUInt8(1, 1)
  data.writeUInt8(TYPE_COMMAND, 2)
  data.writeUInt32BE(payload.length, 3)
  payload.copy(data, 7)
  data.writeUInt8(1, data.length - 1)
  return encodePacket(data)
}

function encodeText(text: string): EncodedCommand | UnsupportedCommand {
  return findTextObstacle(text, LONGEST_TEXT) ?? { bytes: encodeCodec12(text), replyKey: REPLY_KEY }
}

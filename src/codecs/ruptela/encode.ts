import type { CommandOrder } from '../../model/command.js'
import { findHostObstacle, findTextObstacle } from '../command-words.js'
import { CRC16_KERMIT } from '../crc16.js'
import type { CommandTarget, EncodedCommand, UnsupportedCommand } from '../tracker-codec.js'

const SMS_COMMAND = 0x6c
const SMS_ANSWER = '7'
const SET_CONNECTION = 0x69
/** With its command within a frame of 1,024 bytes. */
const LONGEST_TEXT = 1000
const LONGEST_HOST = 253
/** As the unit's settings take it: it ends at the first blank. */
const PASSWORD = /^[\x21-\x7e]{1,50}$/

/** A frame to the device: it does not name it. */
export function encodeAnswer(command: number, payload: Uint8Array): Buffer {
  const frame = Buffer.alloc(payload.length + 5)
  frame.writeUInt16BE(payload.length + 1, 0)
  frame.writeUInt8(command, 2)
  frame.set(payload, 3)
  frame.writeUInt16BE(CRC16_KERMIT(frame, 2, frame.length - 2), frame.length - 2)
  return frame
}

/**
 * RESET and REBOOT both restart the unit, which keeps its settings. The commands of text messages begin with the unit's password, or
 * with a blank when it has none. Nothing answers a new server: the unit leaves.
 * @source Ruptela, SMS commands: reset; commands 108 and 105 of the protocol
 */
export function encodeRuptelaCommand(
  { type, params }: Pick<CommandOrder, 'type' | 'params'>,
  { password }: CommandTarget,
): EncodedCommand | UnsupportedCommand {
  switch (type) {
    case 'RESET':
    case 'REBOOT':
      return encodeReset(password)
    case 'SET_SERVER':
      return encodeConnection(String(params.host), Number(params.port))
    case 'CUSTOM':
      return encodeText(String(params.text))
    case 'SET_INTERVAL':
    case 'REQUEST_VIDEO':
      return { unsupported: 'Ruptela trackers have no command for it' }
  }
}

function encodeReset(password: string | null): EncodedCommand | UnsupportedCommand {
  if (password !== null && !PASSWORD.test(password))
    return { unsupported: 'the commandPassword of the device must have 1 to 50 characters of ASCII without blanks' }
  return encodeText(`${password ?? ''} reset`)
}

function encodeConnection(host: string, port: number): EncodedCommand | UnsupportedCommand {
  const bytes = encodeAnswer(SET_CONNECTION, Buffer.from(`${host},${port},TCP`, 'latin1'))
  return findHostObstacle(host, LONGEST_HOST) ?? { bytes }
}

function encodeText(text: string): EncodedCommand | UnsupportedCommand {
  const obstacle = findTextObstacle(text, LONGEST_TEXT)
  return obstacle ?? { bytes: encodeAnswer(SMS_COMMAND, Buffer.from(text, 'latin1')), replyKey: SMS_ANSWER }
}

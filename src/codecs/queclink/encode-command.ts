import type { CommandOrder } from '../../model/command.js'
import { findTextObstacle } from '../command-words.js'
import type { CommandTarget, EncodedCommand, UnsupportedCommand } from '../tracker-codec.js'

const LONGEST_TEXT = 1000
/** "Reboot". The next one, "reset", restores factory settings and may lose the server's address: it is never sent. */
const REBOOT = 3
const COMMAND = /^AT\+GT[A-Z0-9]{3}=[\x20-\x23\x25-\x7e]*\$$/
/** Behind `AT+`. */
const NAME_AT = 3
const NAME_LENGTH = 5
const SERIAL_AT_END = /,([0-9A-Fa-f]{4}|)\$$/

/**
 * What the answer to a command is known by. Its name besides its number: users number theirs themselves, often all alike.
 * @param name such as GTRTO
 * @param number four hexadecimal digits
 */
export function replyKeyOf(name: string, number: string): string {
  return `${name} ${number.toUpperCase()}`
}

/**
 * RESET and REBOOT both restart the unit, which keeps its settings. Intervals and servers stand in commands that set everything else as
 * well, by lists that differ between models, so that they are for CUSTOM.
 * @source Queclink, @Track air interface, "Real time operation"
 */
export function encodeQueclinkCommand(
  { type, params }: Pick<CommandOrder, 'type' | 'params'>,
  target: CommandTarget,
): EncodedCommand | UnsupportedCommand {
  switch (type) {
    case 'RESET':
    case 'REBOOT':
      return encodeReboot(target)
    case 'CUSTOM':
      return encodeCustom(String(params.text), target)
    case 'SET_INTERVAL':
    case 'SET_SERVER':
      return {
        unsupported:
          'on Queclink trackers it differs between models and sets much more: send the whole command as CUSTOM',
      }
    case 'REQUEST_VIDEO':
      return { unsupported: 'Queclink trackers have no command for it' }
  }
}

/** A unit's password is its model in small letters until it is set. */
function encodeReboot({ password, model, serial }: CommandTarget): EncodedCommand | UnsupportedCommand {
  const word = password ?? model?.toLowerCase()
  if (word === undefined || !/^[\x21-\x7e]{1,20}$/.test(word) || /[,$]/.test(word))
    return { unsupported: 'the commandPassword of the device must be set: 1 to 20 characters without comma and $' }
  return encodeNumbered(`AT+GTRTO=${word},${REBOOT},,,,,,`, serialOf(serial))
}

/** Its last field is the number that the answer comes with: the user's, or ours where it is empty. */
function encodeCustom(text: string, { serial }: CommandTarget): EncodedCommand | UnsupportedCommand {
  const obstacle = findTextObstacle(text, LONGEST_TEXT)
  if (obstacle !== undefined) return obstacle
  const [, own] = SERIAL_AT_END.exec(text) ?? []
  if (!COMMAND.test(text) || own === undefined)
    return {
      unsupported:
        'a command looks like AT+GTRTO=password,2,,,,,,000F$, with four hexadecimal digits at its end, or none for a number of the server',
    }
  return encodeNumbered(text.slice(0, -1 - own.length), own === '' ? serialOf(serial) : own)
}

/** @param text up to the number */
function encodeNumbered(text: string, number: string): EncodedCommand {
  const name = text.slice(NAME_AT, NAME_AT + NAME_LENGTH)
  return { bytes: Buffer.from(`${text}${number}$`, 'latin1'), replyKey: replyKeyOf(name, number), isNumbered: true }
}

function serialOf(serial: number): string {
  return (serial & 0xffff).toString(16).toUpperCase().padStart(4, '0')
}

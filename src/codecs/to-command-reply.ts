import type { CommandReply } from '../model/command.js'
import { boundCommandReply, MAX_MESSAGE_CHARACTERS } from './device-json/decode-command-result.js'
import type { TrackerReply } from './tracker-codec.js'

/** What is kept of a tracker's answer: its words as the message, and as the result too where a message has no place for them all. */
export function toCommandReply({ status, result, message }: TrackerReply): CommandReply {
  const isLong = message !== null && message.length > MAX_MESSAGE_CHARACTERS
  return boundCommandReply(status, isLong ? message : result, message)
}

import type { TrackerMessage } from '../../codecs/tracker-codec.js'

/**
 * What goes back once everything in the message is settled.
 * @param sack the device's acknowledgements are switched on
 * @returns undefined: the protocol has no answer to it, so that its sender never learns whether it should send again
 */
export function answerTo({ answers }: TrackerMessage, sack: boolean): Buffer | undefined {
  return sack ? (answers.settledWithSack ?? answers.settled) : answers.settled
}

import type { AlarmType } from '../../src/model/alarm.js'
import type { CommandReply } from '../../src/model/command.js'
import type { Fix } from '../drives/drive.js'
import type { UnitAlarm } from '../unit/unit-alarm.js'
import type { UnitCommand } from '../unit/unit-command.js'
import type { UnitLimits } from '../unit/unit-transport.js'

/** A message to the server. */
export interface Outgoing {
  readonly bytes: Buffer
  /** What its answer is known by; undefined: there is none, and it is settled when it has left. */
  readonly key?: string
}

/** What the server says. */
export type Incoming =
  /** The unit may send. */
  | { readonly kind: 'let_in' }
  | { readonly kind: 'refused' }
  | {
      readonly kind: 'answer'
      /** That of the message it is about; of answers that come in order it means nothing. */
      readonly key: string
      /** The server has it. */
      readonly isPositive: boolean
      /** How many records the server says that it took, where it says so. */
      readonly records?: number
    }
  | {
      readonly kind: 'command'
      readonly command: Omit<UnitCommand, 'id'>
      /** The unit's word on it; undefined: the brand has none for this. */
      readonly encodeReply: (reply: CommandReply, nowMs: number) => Buffer | undefined
    }
  /** The answer to a heartbeat, and what is of no use. */
  | { readonly kind: 'other' }
  /** Nothing of this protocol. */
  | { readonly kind: 'garbage' }

/** What stands at the beginning of some bytes, and how many of them it is. */
export interface Heard {
  readonly length: number
  readonly incoming: Incoming
}

/** One tracker's way to speak: what its brand sends and understands. It outlives its links. */
export interface Dialect {
  readonly limits: UnitLimits
  readonly alarmTypes: ReadonlySet<AlarmType>
  /** One answer for one message, the oldest first; else by their keys, and the same answer is for all equal messages. */
  readonly answersInOrder: boolean
  /** A server that lets nobody in just ends the connection. */
  readonly isRefusedInSilence: boolean
  /** Whether the server answers a heartbeat. */
  readonly awaitsHeartbeat: boolean
  /** The first words of a link, which the server answers; undefined: there are none. */
  encodeOpening(nowMs: number): Buffer | undefined
  /** @param fixes at most as many as the limits say. The same fixes always give the same records, so that a repeat is known as one */
  encodeFixes(fixes: readonly Fix[]): Outgoing
  /** The alarm as an event of the brand, with its place. @param alarm of {@link alarmTypes} */
  encodeAlarm(alarm: UnitAlarm): Outgoing
  /** A sign of life; undefined: the brand has none. */
  encodeHeartbeat(nowMs: number): Buffer | undefined
  /**
   * @param bytes one or more
   * @param isOpening the answer to the opening has not come
   * @returns undefined: more bytes are needed
   * @throws DecodeError nothing of the protocol
   */
  read(bytes: Buffer, isOpening: boolean): Heard | undefined
}

/** Commands of texts that begin with a word, and what they mean; any other is one of its own. */
export function textCommand(text: string, meanings: ReadonlyArray<readonly [RegExp, UnitCommand['type']]>) {
  for (const [pattern, type] of meanings) {
    const match = pattern.exec(text)
    if (match !== null) return { type, params: type === 'SET_INTERVAL' ? { seconds: Number(match[1]) } : {} }
  }
  return { type: 'CUSTOM', params: { text } }
}

/** A reply in words, for protocols whose replies are texts. */
export function replyText({ status, result, message }: CommandReply): string {
  if (typeof result === 'string') return result
  return message ?? status
}

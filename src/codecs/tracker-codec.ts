import type { AlarmType } from '../model/alarm.js'
import type { CommandOrder, CommandReply } from '../model/command.js'
import type { Condition } from '../model/delivery.js'
import type { Attributes } from '../model/position.js'
import type { RefusedRecord } from '../model/report.js'
import type { DecodeError } from './decode-error.js'

/** What is at the beginning of the bytes that a connection has brought so far. */
export type Split =
  /** One frame of so many bytes. */
  | { readonly kind: 'frame'; readonly length: number }
  /** So many bytes that mean nothing and may stand there. */
  | { readonly kind: 'skip'; readonly length: number }
  /** The beginning of a frame: nothing can be said before there are so many bytes. */
  | { readonly kind: 'wait'; readonly length: number }
  /** Nothing that the protocol knows, and no way to find the next frame: the connection is of no use any more. */
  | { readonly kind: 'lost'; readonly error: DecodeError }

/** One record of a tracker, in canonical units. */
export interface TrackerRecord {
  /** Epoch milliseconds UTC by the tracker's clock; NaN: what it says is no moment. */
  readonly timeMs: number
  /** Tells records of one device and time apart: 0 ≤ n < 2^48; the same for the same record, however often it is sent. */
  readonly discriminator: number
  /** A fix of that moment, and not the last one known. */
  readonly hasFix: boolean
  /** Degrees, as the tracker says, also outside of the earth; null: it says none. */
  readonly latitude: number | null
  readonly longitude: number | null
  readonly altitudeM: number | null
  readonly speedKmh: number | null
  /** 0 ≤ heading < 360. */
  readonly headingDeg: number | null
  readonly accuracyM: number | null
  readonly satellites: number | null
  readonly attributes: Attributes | null
  /** What of it a person should see. */
  readonly alarm: TrackerAlarm | null
  /**
   * The conditions that the record tells of by its attributes, also where they do not hold, for protocols that say states and not events;
   * absent: it tells of none.
   */
  readonly conditions?: readonly Condition[]
  /** Other messages may bring more attributes of the same record, or some of these again; what is new of them is added to what is stored. */
  readonly isPart?: boolean
  /** It can never be stored, and why: it is counted and its bytes are kept, whatever else it says. */
  readonly refusal?: RefusedRecord
  /** Where the record lies in its frame: first byte, and the one after the last. */
  readonly span: readonly [start: number, end: number]
}

export interface TrackerAlarm {
  readonly type: AlarmType
  /** Tells equal alarms of one moment apart, such as two geofences. */
  readonly eventKey: string
  /** For a record whose own time is no moment: when it was told, by the tracker's clock; NaN: that is none either. */
  readonly timeMs?: number
}

/** What a tracker says of itself. */
export interface TrackerFacts {
  readonly model?: string
}

/** A tracker's word on a command. */
export interface TrackerReply extends CommandReply {
  /** That of the command it answers ({@link EncodedCommand.replyKey}). */
  readonly key: string
}

/** Bytes that go back, each undefined where the protocol has none. */
export interface TrackerAnswers {
  /** When the device is known and everything in the message is settled, never before. */
  readonly settled?: Buffer
  /** The same for devices whose acknowledgements are switched on; else they get `settled`. */
  readonly settledWithSack?: Buffer
  /** When the device is not let in. */
  readonly refused?: Buffer
}

export interface TrackerMessage {
  /** `login` and `heartbeat` bring nothing to store; `other` is well-formed and of no use to us. */
  readonly kind: 'login' | 'records' | 'heartbeat' | 'reply' | 'other'
  /** As the message names its sender; undefined: whoever the connection is from. */
  readonly imei?: string
  /** Nobody is let in by such a message: its sender has said before who it is. */
  readonly needsLogin?: boolean
  readonly records: readonly TrackerRecord[]
  readonly reply?: TrackerReply
  readonly facts?: TrackerFacts
  readonly answers: TrackerAnswers
}

/** What a codec needs to know of the device that a command is for. */
export interface CommandTarget {
  readonly imei: string
  readonly model: string | null
  /** For devices whose commands need one; null: none is known. */
  readonly password: string | null
  /** A number for this command, another one for the next: 0 ≤ n < 2^16. */
  readonly serial: number
}

export interface EncodedCommand {
  readonly bytes: Buffer
  /** What the reply is known by; undefined: the protocol has no reply to this one, and it is done when it is written. */
  readonly replyKey?: string
  /** No other command has this key: an answer is known by it also when it comes late, or on another connection. */
  readonly isNumbered?: boolean
}

/** Why there are no bytes for a command; in words for the user. */
export interface UnsupportedCommand {
  readonly unsupported: string
}

/**
 * A wire format of trackers: bytes in, values out. Everything in it is pure and total: no clock, no socket, no state, and no bytes that
 * make it hang, allocate without bound, or throw anything but a {@link DecodeError}.
 */
export interface TrackerCodec {
  /** As metrics, the fleet list and the raw archive name it. */
  readonly protocol: string
  readonly brand: string
  /** Longer frames are refused at their length field. */
  readonly maxFrameBytes: number
  /** A frame that cannot be read says nothing of those after it: the connection may go on. */
  readonly survivesBadFrames: boolean
  /** @param bytes what has come and is no frame yet, one byte or more */
  split(bytes: Buffer): Split
  /** @param frame one whole frame, as {@link split} cut it. @throws DecodeError */
  decode(frame: Buffer): TrackerMessage
  /** The messages of one datagram, each by itself, or what is wrong with it; absent: the protocol has no datagrams. Throws nothing. */
  decodeDatagram?(datagram: Buffer): ReadonlyArray<TrackerMessage | DecodeError>
  /** Commands may be sent to where a device's last datagram came from. */
  readonly takesCommandsByDatagram?: boolean
  /** The bytes that tell a device to do it; nothing but CUSTOM may ever erase its settings. */
  encodeCommand(
    order: Pick<CommandOrder, 'type' | 'params'>,
    target: CommandTarget,
  ): EncodedCommand | UnsupportedCommand
}

import type { AlarmType } from '../../src/model/alarm.js'
import type { CommandReply } from '../../src/model/command.js'
import type { Fix } from '../drives/drive.js'
import type { Setback } from './back-off.js'
import type { UnitAlarm } from './unit-alarm.js'
import type { UnitCommand, UnitCommandResult } from './unit-command.js'

/** Why a link could not be opened, or an event was not taken: a stable code and the server's words. */
export interface Refusal extends Setback {
  readonly code: string
  readonly message: string
}

/** One record that the server will never store: its place in what was sent, and why. */
export interface RejectedRecord {
  readonly index: number
  readonly code: string
}

/** What came of sending records. Only `settled` says anything about where they are. */
export type SendOutcome =
  | {
      readonly kind: 'settled'
      readonly accepted: number
      readonly duplicates: number
      readonly rejected: readonly RejectedRecord[]
    }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'unanswered' }

/** What came of sending one thing that is not a record. Only `settled` says that the server has it. */
export type Delivery<Answer> =
  | { readonly kind: 'settled'; readonly answer: Answer }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'unanswered' }

/** Alarms over a link. */
export interface AlarmLine {
  /** Never rejects; `unanswered` at the latest when the link ends. */
  send(alarm: UnitAlarm): Promise<Delivery<{ readonly isDuplicate: boolean }>>
}

/** Commands over a link. */
export interface CommandLine {
  /** Hands over each command, those that came before this call first. What it returns is the answer; undefined: none. */
  onCommand(obey: (command: UnitCommand) => CommandReply | undefined): void

  /** Never rejects; `unanswered` at the latest when the link ends. */
  sendResult(result: UnitCommandResult): Promise<Delivery<undefined>>
}

/** An open link to the server. A protocol that knows no alarms, or no commands, has no such line. */
export abstract class UnitLink {
  readonly alarms?: AlarmLine
  readonly commands?: CommandLine

  /** Resolves once, when the link is gone for whatever reason, with the server's reason if it gave one. */
  abstract readonly ended: Promise<Setback>

  /** Sends the records as one event. Never rejects; `unanswered` at the latest when the link ends. */
  abstract send(fixes: readonly Fix[]): Promise<SendOutcome>

  /** Ends the link without a word, as a bad network does: what is under way is lost. */
  abstract cut(): void

  /** Ends the link in good order. */
  abstract close(): void
}

export type OpenOutcome =
  | { readonly link: UnitLink; readonly refusal?: undefined }
  | { readonly link?: undefined; readonly refusal: Refusal }

/** A file to upload, whole on the disk. */
export interface ClipFile {
  readonly path: string
  /** The name that the server is to know it by. */
  readonly fileName: string
  readonly bytes: number
  readonly sha256: Buffer
  /** Unit's clock, epoch milliseconds UTC. */
  readonly recordedAtMs: number
}

/** What came of an upload. A lasting refusal holds for every repetition. */
export type UploadOutcome =
  | { readonly videoId: string; readonly refusal?: undefined }
  | { readonly videoId?: undefined; readonly refusal: Refusal; readonly isLasting: boolean }

/** The way of a unit's files to the server. */
export interface ClipUploads {
  /** A server that cannot be reached, or a signal, is the refusal `unreachable`. @throws the file system's error */
  upload(clip: ClipFile, signal: AbortSignal): Promise<UploadOutcome>
}

/** What a protocol, or the units that speak it, can hold. */
export interface UnitLimits {
  /** Records in one event. */
  readonly records: number
  /** Events that may wait for their answer. */
  readonly inFlight: number
  /** Records kept until they are settled; of more the oldest are lost. */
  readonly memory: number
}

/** Those of a unit with a disk and a protocol without sizes. */
export const NO_LIMITS: UnitLimits = {
  records: Number.POSITIVE_INFINITY,
  inFlight: Number.POSITIVE_INFINITY,
  memory: Number.POSITIVE_INFINITY,
}

/** The way one unit reaches the server: its protocol, and whatever login that protocol knows. */
export abstract class UnitTransport {
  /** Whether its links have a line for alarms: one that nobody can send would stay for ever. */
  readonly carriesAlarms: boolean = false
  /** Those that its links can carry; undefined: all. */
  readonly alarmTypes?: ReadonlySet<AlarmType>
  readonly limits: UnitLimits = NO_LIMITS
  /** Without, the unit has no clips. */
  readonly uploads?: ClipUploads

  /** The unit starts from nothing but its identity: the next link takes a new login, where the protocol has one. */
  forgetLogin(): void {}

  /** Logs in where needed and opens a link. Never rejects: a server that cannot be reached is the refusal `unreachable`. */
  abstract open(signal: AbortSignal): Promise<OpenOutcome>
}

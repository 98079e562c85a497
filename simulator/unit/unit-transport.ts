import type { Fix } from '../drives/drive.js'
import type { Setback } from './back-off.js'

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

/** An open link to the server. */
export abstract class UnitLink {
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

/** The way one unit reaches the server: its protocol, and whatever login that protocol knows. */
export abstract class UnitTransport {
  /** Logs in where needed and opens a link. Never rejects: a server that cannot be reached is the refusal `unreachable`. */
  abstract open(signal: AbortSignal): Promise<OpenOutcome>
}

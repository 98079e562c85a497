import type { DeviceId } from './device-id.js'
import type { Position } from './position.js'

/** Why one record can never be stored; its neighbours are not touched by it. */
export type RecordCode =
  | 'invalid_time'
  | 'time_in_future'
  | 'too_old'
  | 'invalid_latitude'
  | 'invalid_longitude'
  | 'invalid_field'
  | 'attributes_too_large'

/** A record that is not acceptable as it came. */
export interface RefusedRecord {
  readonly code: RecordCode
  readonly message: string
}

/** What a codec makes of one record. */
export type DecodedRecord =
  | { readonly position: Position; readonly refusal?: undefined }
  | { readonly position?: undefined; readonly refusal: RefusedRecord }

/** What a unit said in one message, decoded; the order is the unit's. */
export interface Report {
  readonly deviceId: DeviceId
  /** The way in, as metrics and quarantine name it. */
  readonly ingress: string
  readonly receivedAtMs: number
  readonly records: readonly DecodedRecord[]
  /** The record as it came, for quarantine: JSON text, or hex for raw frames. */
  readonly rawOf: (index: number) => string
}

/** What became of a report. Every record is settled: stored, stored before, or refused for good. */
export interface IngestOutcome {
  /** Records that are stored now and were not before. */
  readonly accepted: number
  /** Records that were stored before, repeats within the report included. */
  readonly duplicates: number
  readonly rejected: ReadonlyArray<RefusedRecord & { readonly index: number }>
}

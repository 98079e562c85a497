import type { Alarm } from '../../model/alarm.js'
import type { AppError } from '../../model/app-error.js'
import type { IngestOutcome } from '../../model/report.js'

/** The acknowledgement of `location` and the answer of `POST /locations`. */
export interface LocationAnswer {
  readonly accepted: number
  readonly duplicates: number
  readonly rejected: ReadonlyArray<{ readonly index: number; readonly code: string; readonly message: string }>
}

/** The acknowledgement of `alarm`. */
export interface AlarmAnswer {
  readonly id: string
  readonly duplicate: boolean
}

/** The acknowledgement of an event that could not be taken. */
export interface EventError {
  readonly error: { readonly code: string; readonly message: string; readonly retryAfterMs?: number }
}

/** Computed from the outcome, after the store. */
export function encodeLocationAnswer({ accepted, duplicates, rejected }: IngestOutcome): LocationAnswer {
  return { accepted, duplicates, rejected }
}

/** Computed from the outcome, after the store. */
export function encodeAlarmAnswer({ alarm, isNew }: { readonly alarm: Alarm; readonly isNew: boolean }): AlarmAnswer {
  return { id: alarm.id, duplicate: !isNew }
}

export function encodeEventError({ code, message, retryAfterMs }: AppError): EventError {
  return { error: retryAfterMs === undefined ? { code, message } : { code, message, retryAfterMs } }
}

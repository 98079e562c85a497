import type { Position } from '../model/position.js'
import type { RefusedRecord, Report } from '../model/report.js'

/** How far ahead of the server's clock a unit's clock may be. */
export const MAX_AHEAD_MS = 600_000

export interface Limits {
  /** Older records are refused as `too_old`; 0: never. */
  readonly retentionMs: number
}

export interface Validated {
  readonly valid: readonly Position[]
  readonly rejected: ReadonlyArray<RefusedRecord & { readonly index: number }>
}

/** Parts the records of a report into those that can be stored and those that never can. */
export function validate(report: Report, limits: Limits): Validated {
  const valid: Position[] = []
  const rejected: Array<RefusedRecord & { index: number }> = []
  const latestMs = report.receivedAtMs + MAX_AHEAD_MS
  const earliestMs = earliestTimeMs(report.receivedAtMs, limits)
  report.records.forEach((record, index) => {
    const refusal = record.refusal ?? refuseTime(record.position.timeMs, earliestMs, latestMs)
    if (refusal !== undefined) rejected.push({ index, code: refusal.code, message: refusal.message })
    else if (record.position !== undefined) valid.push(record.position)
  })
  return { valid, rejected }
}

/** What is older lies beyond what is kept. */
export function earliestTimeMs(receivedAtMs: number, { retentionMs }: Limits): number {
  return retentionMs === 0 ? Number.NEGATIVE_INFINITY : receivedAtMs - retentionMs
}

function refuseTime(timeMs: number, earliestMs: number, latestMs: number): RefusedRecord | undefined {
  if (timeMs > latestMs) return { code: 'time_in_future', message: 'time is over 10 minutes ahead of the server' }
  if (timeMs < earliestMs) return { code: 'too_old', message: 'time is older than positions are kept' }
  return undefined
}

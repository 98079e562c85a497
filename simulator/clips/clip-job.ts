import { createHash } from 'node:crypto'
import { z } from 'zod'
import { UnitAlarm } from '../unit/unit-alarm.js'

/** A clip that is to be made and uploaded, and what waits for it. */
export const ClipJob = z.object({
  fileName: z.string(),
  /** What the clip shows: from when, on the unit's clock, and for how long. */
  fromMs: z.number(),
  durationMs: z.number(),
  /** Raised when the clip is there: the file comes before the alarm that names it. */
  alarm: UnitAlarm.optional(),
  /** The command that asked for it. */
  commandId: z.string().optional(),
})
export type ClipJob = z.infer<typeof ClipJob>

/** A test pattern tells nothing in a longer time. */
export const LONGEST_CLIP_MS = 10_000
export const SHORTEST_CLIP_MS = 1_000
const ALARM_CLIP_MS = 5_000
/** An alarm's clip begins before what it shows. */
const BEFORE_ALARM_MS = 3_000

export function alarmClipName({ type, timeMs, key }: Pick<UnitAlarm, 'type' | 'timeMs' | 'key'>): string {
  return `${type.toLowerCase()}-${compactTime(timeMs)}-${key}.mp4`
}

/** The clip of an alarm. */
export function alarmClip(alarm: Pick<UnitAlarm, 'type' | 'timeMs' | 'key'>): ClipJob {
  return { fileName: alarmClipName(alarm), fromMs: alarm.timeMs - BEFORE_ALARM_MS, durationMs: ALARM_CLIP_MS }
}

/** The clip that a command asked for: the same command gives the same name. */
export function requestedClip(commandId: string, fromMs: number, toMs: number, channel: number | undefined): ClipJob {
  const durationMs = Math.min(LONGEST_CLIP_MS, Math.max(SHORTEST_CLIP_MS, toMs - fromMs))
  const key = createHash('sha256').update(commandId).digest('hex').slice(0, 12) // an id may hold anything
  const name = `request-${compactTime(fromMs)}-ch${channel ?? 1}-${key}.mp4`
  return { fileName: name, fromMs, durationMs, commandId }
}

/** Digits only: `20260522T073000500Z`. */
function compactTime(timeMs: number): string {
  return new Date(timeMs).toISOString().replaceAll(/[-:.]/g, '')
}

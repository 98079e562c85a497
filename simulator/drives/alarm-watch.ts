import type { AlarmType } from '../../src/model/alarm.js'
import { below, type Random, randomOf } from '../random.js'
import type { UnitAlarm } from '../unit/unit-alarm.js'
import type { Fix } from './drive.js'

export interface AlarmWatchOptions {
  /** Mean number in an hour of the fixes' own time; 0: none but the burst. */
  readonly alarmsPerHour: number
  /** Raised at once with the first fix. */
  readonly burst: number
  /** Those that the unit can raise; undefined: all. */
  readonly types?: ReadonlySet<AlarmType>
  /** How far apart alarms of the burst are, for units that cannot tell equal ones of one moment apart; 0 without. */
  readonly burstStepMs?: number
  /** The same seed gives the same alarms for the same fixes. */
  readonly seed: string
}

/** Fixes further apart say nothing of what lay between them. */
const LONGEST_LEG_MS = 10_000
const HOUR_MS = 3_600_000
/** An alarm that is due waits so long for something to happen on the road. */
const PATIENCE_MS = 20_000
const BRAKING_KMH_PER_S = -9
const ACCELERATING_KMH_PER_S = 8
const TURNING_DEG_PER_S = 25
const TURNING_ABOVE_KMH = 20
const OVERSPEED_KMH = 60
const STANDING_KMH = 2
/** What may happen to a truck whatever it does on the road. */
const ANYTIME: readonly AlarmType[] = ['VIBRATION', 'FATIGUE', 'DISTRACTION', 'LOW_BATTERY', 'JAMMING', 'TAMPER', 'SOS']

/**
 * Says which alarms a unit raises on its way: as many as asked for on the average, of types that fit the drive where it gives
 * any (hard braking, acceleration, sharp turns, speeding, standing about), else of any.
 */
export class AlarmWatch {
  private latest: Fix | undefined
  private dueSinceMs: number | undefined
  private hasBurst = true

  constructor(private readonly options: AlarmWatchOptions) {}

  /** The drive was begun in an earlier life, with its burst. */
  goOn(): void {
    this.hasBurst = false
  }

  /** @param fix a new one; one that is not younger than those before (a repeat, a late one) raises nothing */
  observe(fix: Fix): UnitAlarm[] {
    const { latest } = this
    if (latest !== undefined && fix.timeMs <= latest.timeMs) return []
    this.latest = fix
    if (latest === undefined) return this.hasBurst ? this.burstAt(fix) : []
    const random = randomOf(`${this.options.seed}/${fix.timeMs}`)
    const legMs = Math.min(LONGEST_LEG_MS, fix.timeMs - latest.timeMs)
    if (random() < 1 - Math.exp((-this.options.alarmsPerHour * legMs) / HOUR_MS)) this.dueSinceMs ??= fix.timeMs
    if (this.dueSinceMs === undefined) return []
    const fitting = happening(latest, fix)
    const isPatient = fix.timeMs - this.dueSinceMs < PATIENCE_MS
    const type = fitting !== undefined && this.knows(fitting) ? fitting : isPatient ? undefined : this.anyType(random)
    if (type === undefined) return []
    this.dueSinceMs = undefined
    return [alarmOf(fix, type, 0)]
  }

  private burstAt(fix: Fix): UnitAlarm[] {
    const random = randomOf(`${this.options.seed}/burst`)
    const { burst, burstStepMs = 0 } = this.options
    return Array.from({ length: burst }, (_, index) => {
      return alarmOf({ ...fix, timeMs: fix.timeMs - index * burstStepMs }, this.anyType(random), index)
    })
  }

  private knows(type: AlarmType): boolean {
    return this.options.types?.has(type) ?? true
  }

  /** One of those that may happen anytime; where the unit knows none of them, any that it knows. */
  private anyType(random: Random): AlarmType {
    const { types } = this.options
    const anytime = ANYTIME.filter((type) => this.knows(type))
    const choice = anytime.length > 0 ? anytime : [...(types ?? [])]
    return choice[below(random, choice.length)] ?? 'SOS'
  }
}

/** What the leg between two fixes shows. */
function happening(before: Fix, fix: Fix): AlarmType | undefined {
  const seconds = (fix.timeMs - before.timeMs) / 1000
  if (before.speedKmh === null || fix.speedKmh === null || seconds * 1000 > LONGEST_LEG_MS) return undefined
  const gainKmhPerS = (fix.speedKmh - before.speedKmh) / seconds
  if (gainKmhPerS <= BRAKING_KMH_PER_S) return 'HARD_BRAKE'
  if (gainKmhPerS >= ACCELERATING_KMH_PER_S) return 'HARD_ACCELERATION'
  if (fix.speedKmh > TURNING_ABOVE_KMH && turnDeg(before, fix) / seconds >= TURNING_DEG_PER_S) return 'SHARP_TURN'
  if (fix.speedKmh > OVERSPEED_KMH) return 'OVERSPEED'
  return fix.speedKmh < STANDING_KMH && before.speedKmh < STANDING_KMH ? 'IDLING' : undefined
}

/** Between two headings, 0..180. */
function turnDeg(before: Fix, fix: Fix): number {
  if (before.headingDeg === null || fix.headingDeg === null) return 0
  const apart = Math.abs(fix.headingDeg - before.headingDeg)
  return Math.min(apart, 360 - apart)
}

/** @param number tells several alarms of one fix apart */
function alarmOf({ timeMs, latitude, longitude, speedKmh }: Fix, type: AlarmType, number: number): UnitAlarm {
  const key = `${timeMs.toString(36)}-${number}`
  return { key, type, timeMs, latitude, longitude, speedKmh, fileNames: [] }
}

import type { Clock } from '../clock.js'
import { below, type Random, randomOf, shuffle } from '../random.js'
import type { Drive, Fix } from './drive.js'

/** How a drive becomes what one unit records, and when. */
export interface PlanOptions {
  /** Recorded time over real time; 0: no waiting, as fast as the acks allow. */
  readonly speedup: number
  /** Shifts the recorded times so that the last fix is now, when the plan begins. */
  readonly rebase: boolean
  /** Drives there and back for ever, each fix at the moment of its recording; undefined: the recording, once. */
  readonly live?: LiveStart
  /** Added to every time, as a unit with a wrong clock would have it. */
  readonly clockSkewMs: number
  /** Repeats each fix once or twice, this many records later at the least; 0: no repeats. */
  readonly repeatDistance: number
  /** Random order within so many records; Infinity: within the whole drive; 0: recorded order. */
  readonly shuffleWindow: number
  /** The same seed gives the same repeats and the same order. */
  readonly seed: string
}

/** Where a live unit begins: a share (0..1) of the drive's length, and the direction. */
export interface LiveStart {
  readonly share: number
  readonly isReversed: boolean
}

/** Where and when a unit begins, or goes on, with its plan. */
export interface PlanStart {
  readonly clock: Clock
  /** When the plan was begun at first: the moment that `rebase` means by now. */
  readonly originMs: number
  /** When it is begun or gone on with. */
  readonly startMs: number
  /** Records that were made before; a live plan has none to skip. */
  readonly fromStep: number
}

/** One record and the moment it is made. */
export interface Recording {
  readonly dueMs: number
  readonly fix: Fix
}

/** What one unit records. */
export interface Plan {
  /** Number of records, repeats included; Infinity for a live plan. */
  readonly length: number
  /** False: nothing has to be waited for. */
  readonly isPaced: boolean
  /** The records in the order they are made. */
  recordings(start: PlanStart): Generator<Recording>
}

/** A live unit cannot know what it will record: it holds back at most this many to mix them. */
const LIVE_SHUFFLE_WINDOW = 60
/** Legs of a live drive last at least and at most so long: recordings have pauses, watchers do not want them. */
const SHORTEST_LEG_MS = 100
const LONGEST_LEG_MS = 10_000
/** A machine that slept does not make up for what it would have recorded meanwhile. */
const LARGEST_LAG_MS = 5_000

/** What a unit makes of a drive: deterministic but for the times of a live plan. */
export function planOf(drive: Drive, options: PlanOptions): Plan {
  return options.live === undefined ? replayOf(drive, options) : liveOf(drive, options, options.live)
}

/** Shift of a recording whose last fix is to be at the given moment. */
export function rebaseShiftMs(drive: Drive, nowMs: number): number {
  return nowMs - (drive.fixes.at(-1)?.timeMs ?? nowMs)
}

function replayOf(drive: Drive, options: PlanOptions): Plan {
  const { speedup, seed, repeatDistance, shuffleWindow } = options
  const repeated = (shiftMs: number, random: Random) =>
    repeatsOf(replayed(drive, speedup, shiftMs), repeatDistance, random)
  return {
    length: countOf(repeated(0, randomOf(seed))),
    isPaced: speedup > 0,
    *recordings({ originMs, startMs, fromStep }) {
      const shiftMs = (options.rebase ? rebaseShiftMs(drive, originMs) : 0) + options.clockSkewMs
      const random = randomOf(seed)
      let step = 0
      let baseMs = fromStep === 0 ? startMs : undefined
      for (const { dueMs, fix } of shuffledIn(repeated(shiftMs, random), shuffleWindow, random)) {
        if (step++ < fromStep) continue
        baseMs ??= startMs - dueMs
        yield { dueMs: baseMs + dueMs, fix }
      }
    },
  }
}

function liveOf(drive: Drive, options: PlanOptions, live: LiveStart): Plan {
  const { seed, repeatDistance, shuffleWindow } = options
  return {
    length: Number.POSITIVE_INFINITY,
    isPaced: true,
    recordings({ clock, startMs }) {
      const random = randomOf(seed)
      const ticks = driven(drive, options, live, clock, startMs, random)
      const repeated = repeatsOf(ticks, repeatDistance, random)
      return shuffledIn(repeated, Math.min(shuffleWindow, LIVE_SHUFFLE_WINDOW), random)
    },
  }
}

/** The recording, due from 0 on. */
function* replayed(drive: Drive, speedup: number, shiftMs: number): Generator<Recording> {
  const firstMs = drive.fixes[0]?.timeMs ?? 0
  for (const fix of drive.fixes) {
    const dueMs = speedup === 0 ? 0 : (fix.timeMs - firstMs) / speedup
    yield { dueMs, fix: shiftMs === 0 ? fix : { ...fix, timeMs: fix.timeMs + shiftMs } }
  }
}

/** The drive there and back, for ever, at the clock's pace. */
function* driven(
  { fixes }: Drive,
  { speedup, clockSkewMs }: PlanOptions,
  { share, isReversed }: LiveStart,
  clock: Clock,
  startMs: number,
  random: Random,
): Generator<Recording> {
  let index = Math.min(fixes.length - 1, Math.floor(share * fixes.length))
  let direction = isReversed ? -1 : 1
  let dueMs = startMs + (random() * 1000) / speedup // trucks of a fleet do not speak in one moment
  for (;;) {
    const fix = fixes[index]
    if (fix === undefined) return
    if (clock.nowMs() - dueMs > LARGEST_LAG_MS) dueMs = clock.nowMs()
    yield { dueMs, fix: { ...turned(fix, direction), timeMs: Math.round(dueMs) + clockSkewMs } }
    if (fixes[index + direction] === undefined) direction = -direction
    if (fixes.length > 1) index += direction
    const recordedMs = Math.abs((fixes[index]?.timeMs ?? fix.timeMs) - fix.timeMs)
    dueMs += (fixes.length > 1 ? Math.min(LONGEST_LEG_MS, Math.max(SHORTEST_LEG_MS, recordedMs)) : 1000) / speedup
  }
}

function turned(fix: Fix, direction: number): Fix {
  if (direction > 0 || fix.headingDeg === null) return fix
  return { ...fix, headingDeg: (Math.round(((fix.headingDeg + 180) % 360) * 10) / 10) % 360 }
}

/** Each record, and once or twice again at random places at least `distance` records later, or at the end. */
function* repeatsOf(records: Iterable<Recording>, distance: number, random: Random): Generator<Recording> {
  if (distance === 0) return yield* records
  const repeats = new Map<number, Recording[]>()
  let index = 0
  let lastDueMs = 0
  for (const record of records) {
    yield record
    lastDueMs = record.dueMs
    for (let copies = 1 + below(random, 2); copies > 0; copies--) {
      const at = index + distance + below(random, 4 * distance)
      repeats.set(at, [...(repeats.get(at) ?? []), record])
    }
    yield* (repeats.get(index) ?? []).map(({ fix }) => ({ dueMs: lastDueMs, fix }))
    repeats.delete(index)
    index++
  }
  const rest = [...repeats].sort(([a], [b]) => a - b).flatMap(([, late]) => late)
  yield* rest.map(({ fix }) => ({ dueMs: lastDueMs, fix }))
}

/**
 * Random order within each window. A window is sent when its last record is made, as by a unit that gathers first;
 * the whole drive in random order keeps the pace of the recording instead, or nothing would be sent before its end.
 */
function* shuffledIn(records: Iterable<Recording>, window: number, random: Random): Generator<Recording> {
  if (window <= 1) return yield* records
  let gathered: Recording[] = []
  for (const record of records) {
    gathered.push(record)
    if (gathered.length < window) continue
    yield* mixed(gathered, random, false)
    gathered = []
  }
  yield* mixed(gathered, random, window === Number.POSITIVE_INFINITY)
}

function mixed(records: readonly Recording[], random: Random, keepsPace: boolean): Recording[] {
  const dues = records.map(({ dueMs }) => dueMs).sort((a, b) => a - b)
  const lastMs = dues.at(-1) ?? 0
  const order = [...records]
  shuffle(random, order)
  return order.map(({ fix }, place) => ({ fix, dueMs: keepsPace ? (dues[place] ?? lastMs) : lastMs }))
}

function countOf(items: Iterable<unknown>): number {
  let count = 0
  for (const _ of items) count++
  return count
}

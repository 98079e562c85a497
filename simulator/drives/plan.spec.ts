import { ManualClock } from '../../test/simulator/manual-clock.js'
import type { Drive, Fix } from './drive.js'
import { type PlanOptions, type PlanStart, planOf, type Recording, rebaseShiftMs } from './plan.js'

const FIRST_MS = Date.UTC(2014, 8, 10, 4, 54, 7)

function driveOf(timesS: readonly number[]): Drive {
  const fixes = timesS.map<Fix>((timeS, index) => ({
    timeMs: FIRST_MS + timeS * 1000,
    latitude: index,
    longitude: 0,
    altitudeM: null,
    speedKmh: null,
    headingDeg: 10,
    satellites: null,
  }))
  return { name: 'test', digest: 'test', fixes }
}

const every = (count: number) => driveOf(Array.from({ length: count }, (_, index) => index))

const PLAIN: PlanOptions = {
  speedup: 1,
  rebase: false,
  clockSkewMs: 0,
  repeatDistance: 0,
  shuffleWindow: 0,
  seed: 'seed',
}

function startAt(startMs: number, more: Partial<PlanStart> = {}): PlanStart {
  return { clock: new ManualClock(startMs), originMs: startMs, startMs, fromStep: 0, ...more }
}

function take(recordings: Iterable<Recording>, count: number): Recording[] {
  const taken: Recording[] = []
  for (const recording of recordings) if (taken.push(recording) === count) break
  return taken
}

const latitudes = (recordings: Iterable<Recording>) => [...recordings].map(({ fix }) => fix.latitude)
const ascending = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b)

describe('a replay', () => {
  it('keeps the recorded times and paces them by the speed-up', () => {
    const plan = planOf(driveOf([0, 1, 5]), { ...PLAIN, speedup: 10 })
    const recordings = [...plan.recordings(startAt(1_000_000))]
    expect(plan.length).toBe(3)
    expect(plan.isPaced).toBe(true)
    expect(recordings.map(({ dueMs }) => dueMs)).toEqual([1_000_000, 1_000_100, 1_000_500])
    expect(recordings.map(({ fix }) => fix.timeMs - FIRST_MS)).toEqual([0, 1000, 5000])
  })

  it('waits for nothing when it is as fast as the acks allow', () => {
    const plan = planOf(driveOf([0, 1, 5]), { ...PLAIN, speedup: 0 })
    expect(plan.isPaced).toBe(false)
    expect([...plan.recordings(startAt(7))].map(({ dueMs }) => dueMs)).toEqual([7, 7, 7])
  })

  it('goes on at a later step at once, at the same pace', () => {
    const plan = planOf(driveOf([0, 1, 5, 6]), PLAIN)
    const recordings = [...plan.recordings(startAt(50_000, { fromStep: 2 }))]
    expect(recordings.map(({ dueMs, fix }) => [dueMs, fix.latitude])).toEqual([
      [50_000, 2],
      [51_000, 3],
    ])
  })

  it('rebases so that the last fix is the moment the plan was begun, also when it goes on later', () => {
    const drive = driveOf([0, 1, 5])
    const nowMs = Date.UTC(2026, 5, 1)
    const plan = planOf(drive, { ...PLAIN, rebase: true })
    const times = (start: PlanStart) => [...plan.recordings(start)].map(({ fix }) => fix.timeMs - nowMs)
    expect(rebaseShiftMs(drive, nowMs)).toBe(nowMs - FIRST_MS - 5000)
    expect(times(startAt(nowMs))).toEqual([-5000, -4000, 0])
    expect(times(startAt(nowMs + 60_000, { originMs: nowMs, fromStep: 1 }))).toEqual([-4000, 0])
  })

  it("shifts every time by the clock's error, on top of a rebase", () => {
    const nowMs = Date.UTC(2026, 5, 1)
    const skewed = planOf(driveOf([0, 1]), { ...PLAIN, clockSkewMs: -3_600_000 })
    expect([...skewed.recordings(startAt(nowMs))].map(({ fix }) => fix.timeMs - FIRST_MS)).toEqual([
      -3_600_000, -3_599_000,
    ])
    const both = planOf(driveOf([0, 1]), { ...PLAIN, rebase: true, clockSkewMs: 5000 })
    expect([...both.recordings(startAt(nowMs))].map(({ fix }) => fix.timeMs - nowMs)).toEqual([4000, 5000])
  })
})

describe('a replay with repeats', () => {
  const plan = planOf(every(200), { ...PLAIN, repeatDistance: 10 })
  const recordings = [...plan.recordings(startAt(0))]

  it('sends each fix two or three times', () => {
    const counts = new Map<number, number>()
    for (const { fix } of recordings) counts.set(fix.latitude, (counts.get(fix.latitude) ?? 0) + 1)
    expect(counts.size).toBe(200)
    expect([...new Set(counts.values())].sort()).toEqual([2, 3])
    expect(plan.length).toBe(recordings.length)
  })

  it('keeps first sendings in order and repeats at a distance until the end of the drive', () => {
    const seen = new Map<number, number>()
    const firsts: number[] = []
    for (const [place, { fix }] of recordings.entries()) {
      const firstPlace = seen.get(fix.latitude)
      if (firstPlace === undefined) firsts.push(fix.latitude)
      else if (fix.latitude < 150) expect(place - firstPlace).toBeGreaterThanOrEqual(10)
      seen.set(fix.latitude, firstPlace ?? place)
    }
    expect(firsts).toEqual(every(200).fixes.map(({ latitude }) => latitude))
  })

  it('is the same for the same seed and another for another', () => {
    const again = planOf(every(200), { ...PLAIN, repeatDistance: 10 })
    const other = planOf(every(200), { ...PLAIN, repeatDistance: 10, seed: 'other' })
    expect(latitudes(again.recordings(startAt(0)))).toEqual(latitudes(recordings))
    expect(latitudes(other.recordings(startAt(0)))).not.toEqual(latitudes(recordings))
  })
})

describe('a shuffled replay', () => {
  it('mixes the whole drive, at the pace of the recording', () => {
    const plan = planOf(every(100), { ...PLAIN, shuffleWindow: Number.POSITIVE_INFINITY })
    const recordings = [...plan.recordings(startAt(0))]
    const order = latitudes(recordings)
    expect(ascending(order)).toEqual(every(100).fixes.map(({ latitude }) => latitude))
    expect(order).not.toEqual(ascending(order))
    expect(recordings.map(({ dueMs }) => dueMs)).toEqual(every(100).fixes.map((_, index) => index * 1000))
  })

  it('mixes within windows, each due when its last fix is', () => {
    const plan = planOf(every(25), { ...PLAIN, shuffleWindow: 10 })
    const recordings = [...plan.recordings(startAt(0))]
    const windows = [recordings.slice(0, 10), recordings.slice(10, 20), recordings.slice(20)]
    expect(windows.map((window) => ascending(latitudes(window)))).toEqual([
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
      [10, 11, 12, 13, 14, 15, 16, 17, 18, 19],
      [20, 21, 22, 23, 24],
    ])
    expect(windows.map((window) => [...new Set(window.map(({ dueMs }) => dueMs))])).toEqual([
      [9000],
      [19_000],
      [24_000],
    ])
  })

  it('holds every fix at least once together with repeats, and goes on where it stopped', () => {
    const plan = planOf(every(100), { ...PLAIN, repeatDistance: 5, shuffleWindow: Number.POSITIVE_INFINITY })
    const whole = latitudes(plan.recordings(startAt(0)))
    const rest = latitudes(plan.recordings(startAt(0, { fromStep: 40 })))
    expect(new Set(whole).size).toBe(100)
    expect(whole).toHaveLength(plan.length)
    expect(rest).toEqual(whole.slice(40))
  })
})

describe('a live drive', () => {
  const live = { share: 0.5, isReversed: false }

  it('has the time of its making, and never ends: there and back', () => {
    const plan = planOf(every(4), { ...PLAIN, live })
    const recordings = take(plan.recordings(startAt(1_000_000)), 8)
    const firstMs = recordings[0]?.dueMs ?? 0
    expect(plan.length).toBe(Number.POSITIVE_INFINITY)
    expect(firstMs - 1_000_000).toBeLessThan(1000)
    expect(recordings.map(({ dueMs }) => dueMs - firstMs)).toEqual([0, 1000, 2000, 3000, 4000, 5000, 6000, 7000])
    expect(recordings.every(({ dueMs, fix }) => fix.timeMs === Math.round(dueMs))).toBe(true)
    expect(latitudes(recordings)).toEqual([2, 3, 2, 1, 0, 1, 2, 3])
    expect(recordings.map(({ fix }) => fix.headingDeg)).toEqual([10, 10, 190, 190, 190, 10, 10, 10])
  })

  it('turns headings round to a tenth of a degree, never to 360', () => {
    const turnedTo = (headingDeg: number) => {
      const [fix] = every(1).fixes
      if (fix === undefined) return undefined
      const drive: Drive = { name: 'turn', digest: 'turn', fixes: [{ ...fix, headingDeg }, fix] }
      const reversed = planOf(drive, { ...PLAIN, live: { share: 0.5, isReversed: true } })
      return take(reversed.recordings(startAt(0)), 2)[1]?.fix.headingDeg
    }
    expect([98.3, 278.3, 180, 179.99].map(turnedTo)).toEqual([278.3, 98.3, 0, 0])
  })

  it('begins the other way round when told to', () => {
    const plan = planOf(every(4), { ...PLAIN, live: { share: 0, isReversed: true } })
    expect(latitudes(take(plan.recordings(startAt(0)), 4))).toEqual([0, 1, 2, 3])
    const late = planOf(every(4), { ...PLAIN, live: { share: 0.99, isReversed: true } })
    expect(latitudes(take(late.recordings(startAt(0)), 4))).toEqual([3, 2, 1, 0])
  })

  it('shortens the pauses of the recording', () => {
    const plan = planOf(driveOf([0, 3600]), { ...PLAIN, live: { share: 0, isReversed: false } })
    const [first, second] = take(plan.recordings(startAt(0)), 2)
    expect((second?.dueMs ?? 0) - (first?.dueMs ?? 0)).toBe(10_000)
  })

  it('does not make up for a time in which the machine slept', async () => {
    const clock = new ManualClock(0)
    const recordings = planOf(every(4), { ...PLAIN, live }).recordings(startAt(0, { clock }))
    recordings.next()
    await clock.advance(3_600_000)
    expect(recordings.next().value).toMatchObject({ dueMs: 3_600_000, fix: { timeMs: 3_600_000 } })
  })

  it('records a drive of one fix once a second', () => {
    const recordings = take(planOf(every(1), { ...PLAIN, live }).recordings(startAt(0)), 3)
    const firstMs = recordings[0]?.dueMs ?? 0
    expect(recordings.map(({ dueMs }) => dueMs - firstMs)).toEqual([0, 1000, 2000])
  })

  it('mixes at most a minute of what it made, and never tells the future', () => {
    const plan = planOf(every(500), { ...PLAIN, live, shuffleWindow: Number.POSITIVE_INFINITY })
    const recordings = take(plan.recordings(startAt(0)), 60)
    expect(recordings.every(({ dueMs, fix }) => fix.timeMs <= Math.round(dueMs))).toBe(true)
    expect(ascending(latitudes(recordings))).toEqual(Array.from({ length: 60 }, (_, index) => 250 + index))
  })
})

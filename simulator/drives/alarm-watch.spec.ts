import { AlarmWatch, type AlarmWatchOptions } from './alarm-watch.js'
import type { Fix } from './drive.js'

const START_MS = Date.UTC(2026, 4, 22, 10)
const ALWAYS = 1e9

/** Fixes a second apart. */
function drive(speedsKmh: readonly number[], headingsDeg: readonly number[] = []): Fix[] {
  return speedsKmh.map((speedKmh, second) => ({
    timeMs: START_MS + second * 1000,
    latitude: 48 + second / 10_000,
    longitude: 11,
    altitudeM: null,
    speedKmh,
    headingDeg: headingsDeg[second] ?? 0,
    satellites: null,
  }))
}

const watchOf = (options: Partial<AlarmWatchOptions>) =>
  new AlarmWatch({ alarmsPerHour: 0, burst: 0, seed: 'test', ...options })
const typesOf = (fixes: readonly Fix[], options: Partial<AlarmWatchOptions> = { alarmsPerHour: ALWAYS }) => {
  const watch = watchOf(options)
  return fixes.map((fix) => watch.observe(fix).map(({ type }) => type)[0])
}

describe('AlarmWatch', () => {
  it.each([
    ['HARD_BRAKE', [50, 40], []],
    ['HARD_ACCELERATION', [30, 40], []],
    ['SHARP_TURN', [30, 30], [350, 20]],
    ['OVERSPEED', [65, 65], []],
    ['IDLING', [0, 0], []],
    [undefined, [45, 45], []],
  ])('sees %s in speeds %j and headings %j', (type, speeds, headings) => {
    expect(typesOf(drive(speeds, headings))).toEqual([undefined, type])
  })

  it('waits 20 s for something to happen before it takes whatever may happen to a truck', () => {
    const types = typesOf(drive(Array(24).fill(45)))
    expect(types.slice(0, 21)).toEqual(Array(21).fill(undefined))
    expect(types[21]).toMatch(/^(VIBRATION|FATIGUE|DISTRACTION|LOW_BATTERY|JAMMING|TAMPER|SOS)$/)
    expect(types.slice(22)).toEqual([undefined, undefined])
  })

  it('raises about as many as asked for', () => {
    const types = typesOf(drive(Array.from({ length: 36_000 }, (_, second) => (second % 10 === 0 ? 65 : 45))), {
      alarmsPerHour: 60,
    })
    const raised = types.filter((type) => type !== undefined).length
    expect(raised).toBeGreaterThan(500)
    expect(raised).toBeLessThan(650)
  })

  it('raises the same for the same seed and fixes, and nothing for those that come again or late', () => {
    const fixes = drive(Array.from({ length: 3600 }, (_, second) => (second % 7 === 0 ? 65 : 45)))
    const options = { alarmsPerHour: 100, seed: 'a' }
    const watch = watchOf(options)
    const alarms = fixes.flatMap((fix) => watch.observe(fix))
    const again = watchOf(options)
    expect(fixes.flatMap((fix) => again.observe(fix))).toEqual(alarms)
    expect(fixes.flatMap((fix) => watch.observe(fix))).toEqual([])
    expect(new Set(alarms.map(({ key }) => key)).size).toBe(alarms.length)
  })

  it('raises a burst with the first fix, each alarm with a key of its own', () => {
    const watch = watchOf({ burst: 1000 })
    const [first, second] = drive([45, 45])
    const burst = first === undefined ? [] : watch.observe(first)
    expect(new Set(burst.map(({ key }) => key)).size).toBe(1000)
    expect(burst[0]).toMatchObject({ timeMs: START_MS, latitude: 48, longitude: 11, speedKmh: 45, fileNames: [] })
    expect(second && watch.observe(second)).toEqual([])
  })

  it('raises only what the unit knows, whatever happens on the road', () => {
    const types = new Set(['SOS', 'IDLING'] as const)
    const braking = Array.from({ length: 60 }, (_, second) => 60 - (second % 4) * 20)
    const raised = new Set(
      typesOf(drive(braking), { alarmsPerHour: ALWAYS, types }).filter((type) => type !== undefined),
    )
    expect(raised).toEqual(new Set(['SOS']))
    const standing = new Set(typesOf(drive(Array(60).fill(0)), { alarmsPerHour: ALWAYS, types }))
    expect(standing).toContain('IDLING')
  })

  it('keeps the alarms of a burst apart for units that cannot tell equal ones of one moment apart', () => {
    const [first] = drive([0])
    const burst = watchOf({ burst: 3, burstStepMs: 2000 }).observe(first as Fix)
    expect(burst.map(({ timeMs }) => timeMs)).toEqual([START_MS, START_MS - 2000, START_MS - 4000])
  })
})

import { readFileSync } from 'node:fs'
import type { TrackerRecord } from './tracker-codec.js'

/** A real frame with the values that it holds; fields as test/data/trackers/README.md explains them. */
export interface FrameSample {
  readonly id: string
  readonly transport: 'tcp' | 'udp'
  readonly direction: 'device->server' | 'server->device'
  readonly kind: string
  readonly hex: string
  readonly expect: FrameExpectation
}

export interface FrameExpectation {
  readonly imei?: string
  readonly recordCount?: number
  readonly records?: readonly RecordExpectation[]
  readonly ackHex?: string | null
  readonly rejectHex?: string
  readonly sackIfEnabledHex?: string
  readonly command?: Readonly<Record<string, unknown>>
  readonly attributes?: Readonly<Record<string, unknown>>
}

export interface RecordExpectation {
  readonly time: string
  readonly lat: number | null
  readonly lon: number | null
  readonly altitudeM?: number | null
  readonly speedKph?: number | null
  readonly courseDeg?: number | null
  readonly satellites?: number | null
  readonly valid: boolean
  readonly io?: ReadonlyArray<{ readonly id: number; readonly size: number; readonly hex: string }>
  readonly [field: string]: unknown
}

/** A case that must do no harm. */
export interface MalformedSample {
  readonly id: string
  readonly transport: 'tcp' | 'udp'
  readonly hex: string
  readonly defect: string
  readonly needs?: string
  readonly expect: Readonly<Record<string, unknown>>
}

export function framesOf(brand: string): FrameSample[] {
  return JSON.parse(readFileSync(`test/data/trackers/frames/${brand}.json`, 'utf8')) as FrameSample[]
}

export function malformedOf(brand: string): MalformedSample[] {
  return JSON.parse(readFileSync(`test/data/trackers/malformed/${brand}.json`, 'utf8')) as MalformedSample[]
}

/** What an application may leave out of what a frame says. Who names it writes beside it why. */
export const notKept = (): undefined => undefined

/**
 * Holds every value that is expected, by its name: one that nobody thought of is a failure.
 * @param holds what each must prove
 * @param held names of those that were proven before
 */
export function expectEach(
  values: object | undefined,
  holds: Readonly<Record<string, (value: unknown) => void>>,
  held: readonly string[] = [],
): void {
  for (const [name, value] of Object.entries(values ?? {})) {
    if (held.includes(name)) continue
    const hold = holds[name]
    if (hold === undefined) throw new Error(`nothing holds ${name}`)
    hold(value)
  }
}

/** What {@link expectFields} holds of a record. */
export const FIELDS = ['time', 'lat', 'lon', 'altitudeM', 'speedKph', 'courseDeg', 'satellites', 'valid'] as const

/** That a record is there, with the moment, place and movement that are expected of it. */
export function expectFields(
  record: TrackerRecord | undefined,
  expected: RecordExpectation,
): asserts record is TrackerRecord {
  if (record === undefined) throw new Error('a record is missing')
  expect(new Date(record.timeMs).toISOString()).toBe(expected.time)
  expect([record.latitude, record.longitude, record.altitudeM]).toEqual([
    expected.lat,
    expected.lon,
    expected.altitudeM,
  ])
  expect([record.speedKmh, record.headingDeg, record.satellites]).toEqual([
    expected.speedKph,
    expected.courseDeg,
    expected.satellites,
  ])
  // No frame says it in metres.
  expect(record.accuracyM).toBe(null)
  expect(record.hasFix).toBe(expected.valid)
}

import { z } from 'zod'
import { AppError } from '../model/app-error.js'
import type { DeviceId } from '../model/device-id.js'
import { type BoundingBox, isInBox } from '../model/position.js'
import { bboxIn } from '../web/schemas.js'
import type { LiveEvent } from './live-event.js'

/** So many devices one watcher may name. */
export const MAX_WATCHED_DEVICES = 10_000

/** What a watcher wants to see; both unset: everything. */
export interface WatchFilter {
  readonly deviceIds?: ReadonlySet<DeviceId>
  readonly box?: BoundingBox
}

/** `bbox` is an array of four numbers, or the text that the same filter is in a query. */
const boxText = bboxIn().unwrap()
const bbox = z.union([z.array(z.number()).transform(String).pipe(boxText), boxText], {
  error: 'must be [minLon, minLat, maxLon, maxLat] in degrees',
})

const watchIn = z.strictObject({
  deviceIds: z
    .array(z.string().min(1).max(64))
    .max(MAX_WATCHED_DEVICES, `at most ${MAX_WATCHED_DEVICES} devices`)
    .nullish(),
  bbox: bbox.nullish(),
})

/**
 * Reads the payload of `watch`.
 * @throws AppError `invalid_request`
 */
export function parseWatch(payload: unknown): WatchFilter {
  const parsed = watchIn.safeParse(payload)
  if (!parsed.success) {
    const words = parsed.error.issues.map(({ path, message }) => [...path, message].join(': ')).join('; ')
    throw new AppError('invalid_request', words.slice(0, 500))
  }
  const { deviceIds, bbox: area } = parsed.data
  return {
    ...(deviceIds == null ? {} : { deviceIds: new Set(deviceIds) }),
    ...(area == null ? {} : { box: area }),
  }
}

/** Whether the watcher is to see the event; a box says nothing about an event that has no place. */
export function isWanted({ deviceIds, box }: WatchFilter, { deviceId, point }: LiveEvent): boolean {
  if (deviceIds !== undefined && !deviceIds.has(deviceId)) return false
  return box === undefined || point === undefined || isInBox(box, point.latitude, point.longitude)
}

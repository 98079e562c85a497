import type { DeviceId } from '../model/device-id.js'
import type { BoundingBox } from '../model/position.js'
import type { LiveEvent, Point } from './live-event.js'
import { isWanted, type WatchFilter } from './watch-filter.js'
import type { Watcher } from './watcher.js'

/** A box over more squares than this is checked by its edges only. */
const MAX_SQUARES = 256
const SQUARES_IN_A_ROW = 361

/**
 * Who watches what, found from the event: by device, or by the one-degree square of the map it is in. An event costs as much as it
 * has watchers (and a look at each of those who watch a large box), not as many as there are.
 */
export class Watchers {
  private readonly all = new Set<Watcher>()
  private readonly byDevice = new Map<DeviceId, Set<Watcher>>()
  private readonly bySquare = new Map<number, Set<Watcher>>()
  /** Without devices, and without a box or with a large one. */
  private readonly wide = new Set<Watcher>()
  /** Without devices, whatever their box. */
  private readonly ofAnyDevice = new Set<Watcher>()

  get size(): number {
    return this.all.size
  }

  /** A newcomer watches everything. */
  add(watcher: Watcher): void {
    this.all.add(watcher)
    this.file(watcher)
  }

  remove(watcher: Watcher): void {
    if (this.all.delete(watcher)) this.unfile(watcher)
  }

  /** Replaces what the watcher wants to see. */
  watch(watcher: Watcher, filter: WatchFilter): void {
    if (!this.all.has(watcher)) return
    this.unfile(watcher)
    watcher.filter = filter
    this.file(watcher)
  }

  /** Calls back for each watcher that is to see the event. */
  forEach(event: LiveEvent, call: (watcher: Watcher) => void): void {
    const { deviceId, point } = event
    const visit = (some: ReadonlySet<Watcher> | undefined) => {
      if (some !== undefined) for (const watcher of some) if (isWanted(watcher.filter, event)) call(watcher)
    }
    visit(this.byDevice.get(deviceId))
    if (point === undefined) {
      visit(this.ofAnyDevice)
      return
    }
    visit(this.wide)
    visit(this.bySquare.get(squareOf(point)))
  }

  private file(watcher: Watcher): void {
    const { deviceIds, box } = watcher.filter
    if (deviceIds !== undefined) {
      for (const deviceId of deviceIds) put(this.byDevice, deviceId, watcher)
      return
    }
    this.ofAnyDevice.add(watcher)
    const squares = box === undefined ? undefined : squaresOf(box)
    if (squares === undefined) this.wide.add(watcher)
    else for (const square of squares) put(this.bySquare, square, watcher)
  }

  private unfile(watcher: Watcher): void {
    const { deviceIds, box } = watcher.filter
    for (const deviceId of deviceIds ?? []) take(this.byDevice, deviceId, watcher)
    this.ofAnyDevice.delete(watcher)
    if (this.wide.delete(watcher) || deviceIds !== undefined || box === undefined) return
    for (const square of squaresOf(box) ?? []) take(this.bySquare, square, watcher)
  }
}

function squareOf({ latitude, longitude }: Point): number {
  return (Math.floor(latitude) + 90) * SQUARES_IN_A_ROW + Math.floor(longitude) + 180
}

/** The squares that a box touches; undefined: too many. */
function squaresOf({ minLatitude, maxLatitude, minLongitude, maxLongitude }: BoundingBox): number[] | undefined {
  const spans: ReadonlyArray<readonly [number, number]> =
    minLongitude <= maxLongitude
      ? [[minLongitude, maxLongitude]]
      : [
          [minLongitude, 180],
          [-180, maxLongitude],
        ]
  const longitudes = spans.flatMap(([from, to]) => degrees(from, to))
  const latitudes = degrees(minLatitude, maxLatitude)
  if (longitudes.length * latitudes.length > MAX_SQUARES) return undefined
  return latitudes.flatMap((latitude) => longitudes.map((longitude) => squareOf({ latitude, longitude })))
}

function degrees(from: number, to: number): number[] {
  const first = Math.floor(from)
  return Array.from({ length: Math.floor(to) - first + 1 }, (_, index) => first + index)
}

function put<K>(map: Map<K, Set<Watcher>>, key: K, watcher: Watcher): void {
  const some = map.get(key)
  if (some === undefined) map.set(key, new Set([watcher]))
  else some.add(watcher)
}

function take<K>(map: Map<K, Set<Watcher>>, key: K, watcher: Watcher): void {
  const some = map.get(key)
  some?.delete(watcher)
  if (some?.size === 0) map.delete(key)
}

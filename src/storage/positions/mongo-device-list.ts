import type { mongo } from 'mongoose'
import type { DeviceId } from '../../model/device-id.js'
import type { MongoCalls } from '../mongo-calls.js'
import type { LatestDocument } from './mongo-position-document.js'
import { endOfDevice, splitPositionId, startOfDevice } from './mongo-position-key.js'
import type { IdRange, MongoRangeProbe } from './mongo-range-probe.js'

interface Gap {
  readonly from: string
  /** Absent: no end. */
  readonly before?: string
}

/**
 * The devices that anything is stored of. Nearly all have a document in `latest`; those that an erasure which was cut short left without
 * one are found by looking for positions in the gaps between the others, one look for each gap.
 */
export class MongoDeviceList {
  constructor(
    private readonly latest: mongo.Collection<LatestDocument>,
    private readonly probe: MongoRangeProbe,
    private readonly calls: MongoCalls,
  ) {}

  /** At most `limit` ids after the one given, ascending byte by byte. */
  async list(limit: number, after: DeviceId): Promise<DeviceId[]> {
    if (limit <= 0) return []
    let page = await this.calls.read(() => this.listDocuments({ _id: { $gt: after } }, limit))
    page.sort(compareBytes)
    const seen = new Set([...page, after, ...prefixesOf(after)])
    const add = (found: readonly DeviceId[]) => {
      for (const id of found) seen.add(id)
      page = [...page, ...found].sort(compareBytes).slice(0, limit)
    }
    let gaps = without([{ from: after }], seen)
    for (;;) {
      gaps = upTo(gaps, lastOf(page, limit))
      const found = await this.findIn(gaps)
      gaps = found.length > 0 ? without(gaps, found) : []
      add(found)
      if (gaps.length > 0) continue
      // Devices whose ids begin the last one's come before it, and their positions may come after its own.
      const beginnings = prefixesOf(lastOf(page, limit) ?? '').filter(
        (id) => !seen.has(id) && compareBytes(id, after) > 0,
      )
      const shorter = await this.findIn(beginnings.map(gapOf))
      if (shorter.length === 0) return page
      add(shorter)
      for (const id of beginnings) seen.add(id)
    }
  }

  /** Ids of documents, as {@link list} gives them. */
  async listDocuments(filter: mongo.Filter<LatestDocument>, limit: number): Promise<DeviceId[]> {
    const options = { projection: { _id: 1 }, sort: { _id: 1 }, limit, batchSize: limit + 1 } as const
    return (await this.latest.find(filter, options).toArray()).map(({ _id }) => _id)
  }

  /** A call for each round, so that a long list on a slow network is only slow. */
  private async findIn(gaps: readonly Gap[]): Promise<DeviceId[]> {
    const found: DeviceId[] = []
    const atOnce = this.probe.rangesPerRound
    for (let start = 0; start < gaps.length; start += atOnce) {
      const ranges: IdRange[] = gaps.slice(start, start + atOnce)
      const ids = await this.calls.read(() => this.probe.findAny(ranges))
      found.push(...ids.map((id) => splitPositionId(id).deviceId))
    }
    return found
  }
}

/** What is left of ranges without the positions of these devices. */
function without(gaps: readonly Gap[], devices: Iterable<DeviceId>): Gap[] {
  const holes = [...devices].map(gapOf).sort((a, b) => compareBytes(a.from, b.from))
  const left: Gap[] = []
  for (const gap of gaps) {
    let { from } = gap
    for (const hole of holes) {
      if (compareBytes(hole.before, from) <= 0 || isAtOrBeyond(hole.from, gap.before)) continue
      if (compareBytes(from, hole.from) < 0) left.push({ from, before: hole.from })
      from = hole.before
    }
    if (!isAtOrBeyond(from, gap.before)) left.push({ ...gap, from })
  }
  return left
}

/** What of the ranges lies before an id. What begins with the id and goes on belongs to devices after it. */
function upTo(gaps: readonly Gap[], last: DeviceId | undefined): Gap[] {
  if (last === undefined) return [...gaps]
  return gaps
    .filter(({ from }) => compareBytes(from, last) < 0)
    .map((gap) => (isAtOrBeyond(last, gap.before) ? gap : { ...gap, before: last }))
}

function isAtOrBeyond(id: string, end: string | undefined): boolean {
  return end !== undefined && compareBytes(id, end) >= 0
}

function gapOf(deviceId: DeviceId) {
  return { from: startOfDevice(deviceId), before: endOfDevice(deviceId) }
}

/** The last one of a page that is full. */
function lastOf(page: readonly DeviceId[], limit: number): DeviceId | undefined {
  return page.length >= limit ? page.at(-1) : undefined
}

/** All that an id begins with and that is shorter. */
function prefixesOf(id: DeviceId): DeviceId[] {
  const letters = Array.from(id)
  return letters.slice(1).map((_, index) => letters.slice(0, index + 1).join(''))
}

/** The server's order. */
function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

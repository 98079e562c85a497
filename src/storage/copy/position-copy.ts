import type { DeviceId } from '../../model/device-id.js'
import type { Attributes, Position } from '../../model/position.js'
import type { PositionStore } from '../positions/position-store.js'
import { compareBytes } from './compare-bytes.js'
import { Comparison } from './comparison.js'
import {
  type CopyPart,
  type CopyProgress,
  ForeignDataError,
  type PartExtent,
  type PartReport,
  type SideDigest,
} from './copy-part.js'
import { mapInOrder } from './map-in-order.js'
import { type Pair, pairPages } from './paired-pages.js'
import { RunningDigest } from './running-digest.js'

/** Positions of one read, and of one append. */
const PAGE = 5000
const DEVICES_PER_PAGE = 500
/** Of a group, which is appended together where its devices have few positions. */
const DEVICES_PER_GROUP = 50
/** No device is in two of them, so that no two appends meet in one device. */
const GROUPS_AT_ONCE = 3
const DEVICES_AT_ONCE = 3

/** Where a device's track stands in the target. */
interface Standing {
  /** Both sides alike; undefined: something is missing. */
  readonly whole?: Readonly<Record<'source' | 'target', SideDigest>>
  /** Everything up to this one is there. */
  readonly upTo?: Position
}

/** All positions, device by device in the order of their keys. The latest ones come with them. */
export class PositionCopy implements CopyPart {
  readonly name = 'positions'
  readonly unit = 'devices'
  private readonly standings = new Map<DeviceId, Standing>()
  private total = 0

  constructor(
    private readonly source: PositionStore,
    private readonly target: PositionStore,
  ) {}

  async look(progress: CopyProgress): Promise<PartExtent> {
    this.standings.clear()
    this.total = await countDevices(this.source)
    const inTarget = await countDevices(this.target)
    if (inTarget > 0) {
      progress.begin('looking at positions', inTarget, this.unit)
      for await (const [id, standing] of mapInOrder(this.sharedIds(), DEVICES_AT_ONCE, (one) => this.lookAt(one))) {
        this.standings.set(id, standing)
        progress.advance(1)
      }
      progress.end()
    }
    const whole = [...this.standings.values()].filter((standing) => standing.whole !== undefined)
    return { total: this.total, present: whole.length }
  }

  async copy(progress: CopyProgress): Promise<void> {
    progress.begin('copying positions', this.total, this.unit)
    for await (const devices of mapInOrder(this.groups(), GROUPS_AT_ONCE, (group) => this.copyGroup(group)))
      progress.advance(devices)
    progress.end()
  }

  async verify(progress: CopyProgress): Promise<PartReport> {
    const comparison = new Comparison()
    progress.begin('comparing positions', Math.max(this.total, await countDevices(this.source)), this.unit)
    for await (const { id, compared, differences } of mapInOrder(this.allIds(), DEVICES_AT_ONCE, (one) =>
      this.compare(one),
    )) {
      for (const words of differences) comparison.differences.add(words)
      if (compared.source.count > 0) comparison.source.take(`${id} ${compared.source.sha256}`, compared.source.count)
      if (compared.target.count > 0) comparison.target.take(`${id} ${compared.target.sha256}`, compared.target.count)
      progress.advance(1)
    }
    progress.end()
    return comparison.report(this.name, 'positions')
  }

  /** @throws ForeignDataError */
  private async lookAt({ source, target }: Pair<DeviceId>): Promise<[DeviceId, Standing]> {
    if (source === undefined) throw new ForeignDataError(`positions of the device ${target}`)
    const digests = { source: new RunningDigest(), target: new RunningDigest() }
    let upTo: Position | undefined
    let isUnbroken = true
    for await (const pairs of this.track(source)) {
      for (const pair of pairs) {
        const texts = takePair(digests, pair)
        if (texts.target !== undefined && texts.source !== texts.target)
          throw new ForeignDataError(wordsOf(source, pair))
        isUnbroken &&= texts.target !== undefined
        if (isUnbroken) upTo = pair.source
      }
    }
    const whole = { source: digests.source.finish(), target: digests.target.finish() }
    return [source, isUnbroken && (await this.hasLatest(source)) ? { whole } : { upTo }]
  }

  /** @returns how many devices it were */
  private async copyGroup(ids: readonly DeviceId[]): Promise<number> {
    let gathered: Position[] = []
    let appending: Promise<unknown> = Promise.resolve()
    const append = async (positions: Position[]) => {
      await appending
      appending = this.target.append(positions)
      appending.catch(() => undefined) // awaited before the next
    }
    for (const id of ids) {
      for (let last = this.standings.get(id)?.upTo; ; ) {
        const page = await this.source.listTrack(id, { after: last, limit: PAGE, includeWithoutFix: true })
        last = page.at(-1)
        if (last === undefined) break
        gathered.push(...page)
        if (gathered.length >= PAGE) {
          await append(gathered)
          gathered = []
        }
        if (page.length < PAGE) break
      }
    }
    if (gathered.length > 0) await append(gathered)
    await appending
    return ids.length
  }

  private async compare({ source, target }: Pair<DeviceId>) {
    const id = source ?? target ?? ''
    const known = this.standings.get(id)?.whole
    if (known !== undefined) return { id, compared: known, differences: [] }
    const digests = { source: new RunningDigest(), target: new RunningDigest() }
    const found: { first?: Pair<Position>; count: number } = { count: 0 }
    for await (const pairs of this.track(id)) {
      for (const pair of pairs) {
        const texts = takePair(digests, pair)
        if (texts.source === texts.target) continue
        found.first ??= pair
        found.count++
      }
    }
    const differences: string[] = []
    if (found.first)
      differences.push(`${wordsOf(id, found.first)}${found.count > 1 ? ` (and ${found.count - 1} more)` : ''}`)
    else if (!(await this.hasLatest(id))) differences.push(`device ${id}: another latest position`)
    return { id, compared: { source: digests.source.finish(), target: digests.target.finish() }, differences }
  }

  private async hasLatest(id: DeviceId): Promise<boolean> {
    const [source, target] = await Promise.all([this.source.findLatest(id), this.target.findLatest(id)])
    return (source && textOf(source)) === (target && textOf(target))
  }

  private async *groups(): AsyncGenerator<DeviceId[]> {
    let group: DeviceId[] = []
    for await (const ids of pagesOfIds(this.source)) {
      for (const id of ids) {
        if (this.standings.get(id)?.whole === undefined) group.push(id)
        if (group.length < DEVICES_PER_GROUP) continue
        yield group
        group = []
      }
    }
    if (group.length > 0) yield group
  }

  private async *allIds(): AsyncGenerator<Pair<DeviceId>> {
    const page = (store: PositionStore) => (after: DeviceId | undefined) => store.listDeviceIds(DEVICES_PER_PAGE, after)
    for await (const pairs of pairPages(page(this.source), page(this.target), compareBytes)) yield* pairs
  }

  /** Of devices that the target has anything of. */
  private async *sharedIds(): AsyncGenerator<Pair<DeviceId>> {
    for await (const pair of this.allIds()) if (pair.target !== undefined) yield pair
  }

  private track(id: DeviceId): AsyncGenerator<Pair<Position>[]> {
    const page = (store: PositionStore) => (after: Position | undefined) =>
      store.listTrack(id, { after, limit: PAGE, includeWithoutFix: true })
    return pairPages(page(this.source), page(this.target), compareIdentities)
  }
}

async function countDevices(store: PositionStore): Promise<number> {
  let count = 0
  for await (const ids of pagesOfIds(store)) count += ids.length
  return count
}

async function* pagesOfIds(store: PositionStore): AsyncGenerator<DeviceId[]> {
  for (let after: DeviceId | undefined; ; ) {
    const ids = await store.listDeviceIds(DEVICES_PER_PAGE, after)
    after = ids.at(-1)
    if (after === undefined) return
    yield ids
  }
}

function takePair(digests: Readonly<Record<'source' | 'target', RunningDigest>>, { source, target }: Pair<Position>) {
  const texts = { source: source && textOf(source), target: target && textOf(target) }
  if (texts.source !== undefined) digests.source.take(texts.source)
  if (texts.target !== undefined) digests.target.take(texts.target)
  return texts
}

/** Everything but the device. −0 is written as 0, and attributes in the order of their names. */
function textOf(position: Position): string {
  return JSON.stringify([
    position.timeMs,
    position.discriminator,
    position.receivedAtMs,
    position.latitude,
    position.longitude,
    position.hasFix,
    position.altitudeM,
    position.speedKmh,
    position.headingDeg,
    position.accuracyM,
    position.satellites,
    position.attributes && inOrder(position.attributes),
  ])
}

function inOrder(attributes: Attributes): [string, unknown][] {
  return Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1))
}

function compareIdentities(a: Position, b: Position): number {
  return a.timeMs - b.timeMs || a.discriminator - b.discriminator
}

function wordsOf(id: DeviceId, { source, target }: Pair<Position>): string {
  const { timeMs = 0, discriminator = 0 } = source ?? target ?? {}
  const which = `device ${id}, position of ${new Date(timeMs).toISOString()}${discriminator === 0 ? '' : `/${discriminator}`}`
  if (source === undefined) return `${which}: not in the source`
  return `${which}: ${target === undefined ? 'not in the target' : 'another one in the target'}`
}

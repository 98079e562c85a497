import type { mongo } from 'mongoose'
import type { DeviceId } from '../../model/device-id.js'
import type { Position } from '../../model/position.js'
import { insertAbsent } from '../insert-absent.js'
import type { HeardDevices } from './mongo-heard-devices.js'
import { type MongoLatestPositions, toCandidate } from './mongo-latest-positions.js'
import { type PositionDocument, toDocument } from './mongo-position-document.js'
import { BEFORE_ALL, compareIds, type MomentKey, momentKey, positionId, splitPositionId } from './mongo-position-key.js'
import { MongoPositionParts, type StoredPart } from './mongo-position-parts.js'
import type { AppendResult } from './position-store.js'

/** A document with its place in the append. */
interface Row {
  readonly index: number
  readonly deviceId: DeviceId
  readonly document: PositionDocument
}

/** Stores positions, and says exactly which were new and which of them are the latest. */
export class MongoPositionAppender {
  private readonly parts: MongoPositionParts

  constructor(
    private readonly positions: mongo.Collection<PositionDocument>,
    private readonly latest: MongoLatestPositions,
    private readonly heard: HeardDevices,
  ) {
    this.parts = new MongoPositionParts(positions)
  }

  async append(positions: readonly Position[]): Promise<AppendResult> {
    const rows = distinctRows(positions)
    const devices = [...new Set(rows.map(({ deviceId }) => deviceId))]
    await this.hear(devices)
    try {
      const known = await this.insert(rows)
      const isNew = positions.map(() => false)
      for (const row of rows) if (!known.has(row)) isNew[row.index] = true
      const tooLarge = await this.addParts(positions, isNew)
      await this.mendBehind(known)
      const isLatest = positions.map(() => false)
      const moved = await this.moveLatest(rows.filter((row) => !known.has(row)))
      for (const { index } of moved) isLatest[index] = true
      this.heard.renew(moved.map(({ deviceId }) => deviceId))
      return { isNew, isLatest, ...tooLarge }
    } catch (error) {
      // Some of it may be stored, and a latest position may be behind.
      this.heard.forget(devices)
      throw error
    }
  }

  /**
   * Devices that this process has not heard for a while: another process may have been killed in the midst of an append. It comes before
   * the answer and in the order of the writes: a fix that such a kill left behind may be later than what comes now, which then is not
   * the latest; and an erasure that was asked for before must not find its device's document made again.
   */
  private async hear(devices: readonly DeviceId[]): Promise<void> {
    const unheard = this.heard.listUnheard(devices)
    if (unheard.length === 0) return
    await this.latest.mend(await this.latest.introduce(unheard), (mended) => this.heard.note(mended))
  }

  /** @returns the rows that were stored before */
  private async insert(rows: readonly Row[]): Promise<ReadonlySet<Row>> {
    const documents = rows.map(({ document }) => document)
    const known = await insertAbsent(documents, (some) => this.positions.insertMany(some, { ordered: false }))
    return new Set(rows.filter((_, index) => known.has(index)))
  }

  /** Adds what parts of records bring that were stored before, or a moment ago by this append. Costs nothing where there are no parts. */
  private async addParts(
    positions: readonly Position[],
    isNew: readonly boolean[],
  ): Promise<Pick<AppendResult, 'isTooLarge'>> {
    if (!positions.some(({ isPart }) => isPart)) return {}
    const parts = positions.flatMap(({ deviceId, timeMs, discriminator, attributes, isPart }, index): StoredPart[] =>
      isPart && !isNew[index]
        ? [{ index, id: positionId(deviceId, momentKey(timeMs, discriminator)), attributes }]
        : [],
    )
    const refused = await this.parts.add(parts)
    return { isTooLarge: positions.map((_, index) => refused.has(index)) }
  }

  /** A repeat later than what its device's document says: whoever stored it did not come to move that. */
  private async mendBehind(known: ReadonlySet<Row>): Promise<void> {
    const repeats = new Map<DeviceId, MomentKey>()
    for (const { deviceId, document } of known) {
      if (document.f === false) continue
      const { moment } = splitPositionId(document._id)
      if (moment > (repeats.get(deviceId) ?? BEFORE_ALL)) repeats.set(deviceId, moment)
    }
    if (repeats.size === 0) return
    const documents = await this.latest.introduce([...repeats.keys()])
    for (const [deviceId, moment] of repeats) {
      if ((documents.get(deviceId)?.k ?? BEFORE_ALL) >= moment) documents.delete(deviceId)
    }
    if (documents.size > 0) await this.latest.mend(documents)
  }

  /** @returns the rows that are their devices' latest fixes now */
  private async moveLatest(added: readonly Row[]): Promise<readonly Row[]> {
    const last = new Map<DeviceId, Row>()
    // In the order of the keys: the last one of a device wins.
    for (const row of added) if (row.document.f !== false) last.set(row.deviceId, row)
    if (last.size === 0) return []
    const candidates = new Map([...last].map(([id, { document }]) => [id, toCandidate(document)] as const))
    const moved = await this.latest.move(candidates)
    return [...last].filter(([id]) => moved.get(id) === candidates.get(id)?.k).map(([, row]) => row)
  }
}

/** The first of each identity, in the order of `_id`: two appends that overlap then never wait for each other crosswise. */
function distinctRows(positions: readonly Position[]): Row[] {
  const first = new Map<string, Row>()
  for (const [index, position] of positions.entries()) {
    const document = toDocument(position)
    if (!first.has(document._id)) first.set(document._id, { index, deviceId: position.deviceId, document })
  }
  return [...first.values()].sort((a, b) => compareIds(a.document._id, b.document._id))
}

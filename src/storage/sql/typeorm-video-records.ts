import type { SelectQueryBuilder, UpdateQueryBuilder } from 'typeorm'
import type { DeviceId } from '../../model/device-id.js'
import type { Video } from '../../model/video.js'
import { datetimeOf } from './datetime.js'
import { VideoEntity, type VideoRow } from './entities/video-entity.js'
import { isDuplicateKey } from './sql-errors.js'
import { runSql } from './sql-rows.js'
import type { SqlSource } from './sql-source.js'
import { nowMsOf } from './store-clock.js'
import { legsOf } from './video-legs.js'
import {
  CLOCKS_BEGIN_MS,
  type HeldName,
  type MediaOutcome,
  type NewVideo,
  type VideoQuery,
  VideoRecords,
} from './video-records.js'
import { toNewVideo, toReservedRow, toVideos } from './video-rows.js'

const STATUSES = 3
const UNCLAIMED = { claimedBy: null, claimedAtMs: null }
const IS_RESERVED = 'video.uploadedAtMs IS NULL'
const IS_SHOWN = 'video.listedAtMs IS NOT NULL'
const IS_HIDDEN = 'video.uploadedAtMs IS NOT NULL AND video.listedAtMs IS NULL'
/** Found from the alarms' side, since few files are named by them. */
const NAMED_BY_ALARMS = `SELECT v.id FROM alarm_files f
  JOIN videos v ON v.device_id = f.device_id AND v.file_name = f.file_name WHERE f.alarm_id IN (:...alarmIds)`

/** Videos in the relational database. */
export class TypeormVideoRecords extends VideoRecords {
  /** As a condition with `:node`. */
  private readonly isNotAnothers: string

  /** @param node whose claims are made; null: it is alone, so that nothing need be claimed, and what is there was left or copied */
  constructor(
    private readonly source: SqlSource,
    private readonly node: string | null = null,
  ) {
    super()
    this.isNotAnothers = node === null ? '1 = 1' : '(claimedBy IS NULL OR claimedBy = :node)'
  }

  /** The same videos, read and written in a transaction. */
  within(transaction: SqlSource): TypeormVideoRecords {
    return new TypeormVideoRecords(transaction, this.node)
  }

  async reserve(video: NewVideo): Promise<{ readonly video?: Video; readonly reservation?: NewVideo } | undefined> {
    for (;;) {
      if (await this.insert(video)) return undefined
      const holder = await this.rows()
        .where('video.deviceId = :deviceId AND video.fileName = :fileName', video)
        .getOne()
      // None: it was given free in between, and the next try may get it.
      if (holder === null) continue
      if (holder.uploadedAtMs === null) return { reservation: toNewVideo(holder) }
      return holder.listedAtMs === null ? {} : { video: (await this.toVideos([holder]))[0] }
    }
  }

  async show(id: string, uploadedAtMs: number): Promise<Video | 'removed' | undefined> {
    const { affected } = await this.update()
      .set({
        uploadedAtMs,
        listedAtMs: () => 'COALESCE(recorded_at, :uploadedAtMs)',
        blobUploadId: null,
        ...UNCLAIMED,
      })
      .where(`id = :id AND uploadedAtMs IS NULL AND ${this.isNotAnothers}`, { id, uploadedAtMs, node: this.node })
      .execute()
    // None affected is no news: a row that was shown before, by a call whose answer was lost, has nothing to change.
    return (await this.find(id)) ?? (affected === 1 ? 'removed' : undefined)
  }

  async release(id: string): Promise<void> {
    await this.delete('id = :id AND uploadedAtMs IS NULL', id)
  }

  async claim(id: string, forMs: number): Promise<boolean> {
    const { node } = this
    if (node === null) return this.rows().where('video.id = :id', { id }).getExists()
    const now = nowMsOf(this.source)
    await this.update()
      .set({ claimedBy: node, claimedAtMs: () => now })
      .where('id = :id', { id })
      .andWhere(`(${this.isNotAnothers} OR claimedAtMs IS NULL OR claimedAtMs <= ${now} - :forMs)`, { node, forMs })
      .execute()
    // Asked, not counted: not every database counts a row as affected that had the values already.
    return this.rows().where('video.id = :id AND video.claimedBy = :node', { id, node }).getExists()
  }

  async unclaim(id: string): Promise<void> {
    if (this.node === null) return
    await this.update().set(UNCLAIMED).where('id = :id AND claimedBy = :node', { id, node: this.node }).execute()
  }

  async listReserved(beforeMs: number): Promise<NewVideo[]> {
    const rows = await this.rows()
      .where(`${IS_RESERVED} AND video.listedAtMs IS NULL`)
      .andWhere('video.reservedAtMs < :before', { before: datetimeOf(beforeMs) })
      .orderBy('video.reservedAtMs')
      .getMany()
    return rows.map(toNewVideo)
  }

  async find(id: string): Promise<Video | undefined> {
    return this.toVideo(await this.rows().where(`video.id = :id AND ${IS_SHOWN}`, { id }).getOne())
  }

  async findByName(deviceId: DeviceId, fileName: string): Promise<Video | undefined> {
    const query = this.rows().where('video.deviceId = :deviceId AND video.fileName = :fileName', { deviceId, fileName })
    return this.toVideo(await query.andWhere(IS_SHOWN).getOne())
  }

  async list(query: VideoQuery): Promise<Video[]> {
    const { deviceIds, fileNames, statuses, alarmIds, fromMs, toMs, after, limit } = query
    if ([deviceIds, fileNames, statuses, alarmIds].some((values) => values?.length === 0)) return []
    const legs = legsOf(query)
    if (legs) return this.listByIds((await runSql<{ id: string }>(this.source, legs)).map(({ id }) => id))
    const rows = this.rows()
      .where(IS_SHOWN)
      .orderBy('video.listedAtMs', 'DESC')
      .addOrderBy('video.id', 'DESC')
      .limit(limit)
    if (alarmIds) rows.andWhere(`video.id IN (${NAMED_BY_ALARMS})`, { alarmIds })
    addSomeOf(rows, 'deviceId', deviceIds)
    addSomeOf(rows, 'fileName', fileNames)
    if (new Set(statuses).size < STATUSES) addSomeOf(rows, 'status', statuses)
    if (fromMs !== undefined) rows.andWhere('video.listedAtMs >= :from', { from: fromMs })
    if (toMs !== undefined) rows.andWhere('video.listedAtMs < :to', { to: toMs })
    if (after) {
      // In two conditions, since not every database can search an index by a pair.
      rows.andWhere('video.listedAtMs <= :atMs AND (video.listedAtMs < :atMs OR video.id < :id)', after)
    }
    return this.toVideos(await rows.getMany())
  }

  async setKeep(id: string, keep: boolean): Promise<Video | undefined> {
    await this.update().set({ keep }).where('id = :id AND listedAtMs IS NOT NULL', { id }).execute()
    return this.find(id)
  }

  async hide(id: string, unlessKept = false): Promise<Video | undefined> {
    const hiding = this.update().set({ listedAtMs: null }).where('id = :id AND uploadedAtMs IS NOT NULL', { id })
    if (unlessKept) hiding.andWhere('keep = :keep', { keep: false })
    await hiding.execute()
    return this.toVideo(await this.rows().where(`video.id = :id AND ${IS_HIDDEN}`, { id }).getOne())
  }

  async listHidden(limit: number): Promise<Video[]> {
    const rows = this.rows().where(IS_HIDDEN).orderBy('video.uploadedAtMs').addOrderBy('video.id').limit(limit)
    return this.toVideos(await rows.getMany())
  }

  async remove(id: string): Promise<void> {
    await this.delete('id = :id AND uploadedAtMs IS NOT NULL AND listedAtMs IS NULL', id)
  }

  async listToProcess(limit: number, withMissingTool: boolean): Promise<Video[]> {
    const waiting = await this.listWaiting(limit, "video.status = 'processing'")
    // In two steps, since no index serves both.
    const failed = withMissingTool
      ? await this.listWaiting(limit, "video.failureReason = 'media_tool_missing' AND video.status = 'failed'")
      : []
    const oldest = [...waiting, ...failed].sort((a, b) => Number(a.uploadedAtMs) - Number(b.uploadedAtMs))
    return this.toVideos(oldest.slice(0, limit))
  }

  async countAttempt(id: string): Promise<number> {
    await this.update()
      .set({ attempts: () => 'attempts + 1' })
      .where('id = :id', { id })
      .execute()
    const row = await this.rows().where('video.id = :id', { id }).getOne()
    return row?.attempts ?? 0
  }

  async setOutcome(id: string, outcome: MediaOutcome): Promise<Video | undefined> {
    const { durationS, ...others } = outcome
    const durationMs = typeof durationS === 'number' ? Math.round(durationS * 1000) : durationS
    await this.update()
      .set(definedOf({ ...others, durationMs }))
      .where('id = :id AND listedAtMs IS NOT NULL', { id })
      .execute()
    return this.find(id)
  }

  async listOlderThan(atMs: number, limit: number): Promise<Video[]> {
    const rows = this.rows()
      .where('video.keep = :keep AND video.listedAtMs < :atMs', { keep: false, atMs })
      .andWhere('(video.listedAtMs >= :clocksBeginMs OR video.uploadedAtMs < :uploadedBefore)', {
        clocksBeginMs: CLOCKS_BEGIN_MS,
        uploadedBefore: datetimeOf(atMs),
      })
      .orderBy('video.listedAtMs')
      .addOrderBy('video.id')
      .limit(limit)
    return this.toVideos(await rows.getMany())
  }

  async listOfDevice(deviceId: DeviceId, limit: number): Promise<HeldName[]> {
    const rows = await this.rows()
      .select(['video.id', 'video.fileName', 'video.blobUploadId'])
      .where('video.deviceId = :deviceId', { deviceId })
      .orderBy('video.fileName')
      .limit(limit)
      .getMany()
    return rows.map(({ id, fileName, blobUploadId }) => ({ id, fileName, blobUploadId }))
  }

  private get claimed() {
    const { node } = this
    return node === null ? {} : { claimedBy: node, claimedAtMs: () => nowMsOf(this.source) }
  }

  private rows(): SelectQueryBuilder<VideoRow> {
    return this.source.createQueryBuilder(VideoEntity, 'video')
  }

  private update(): UpdateQueryBuilder<VideoRow> {
    return this.source.createQueryBuilder().update(VideoEntity)
  }

  private async delete(condition: string, id: string): Promise<void> {
    await this.source
      .createQueryBuilder()
      .delete()
      .from(VideoEntity)
      .where(`${condition} AND ${this.isNotAnothers}`, { id, node: this.node })
      .execute()
  }

  private async insert(video: NewVideo): Promise<boolean> {
    try {
      await this.source
        .createQueryBuilder()
        .insert()
        .into(VideoEntity)
        .values({ ...toReservedRow(video), ...this.claimed })
        .updateEntity(false)
        .execute()
      return true
    } catch (error) {
      if (isDuplicateKey(error)) return false
      throw error
    }
  }

  private listWaiting(limit: number, condition: string): Promise<VideoRow[]> {
    return this.rows()
      .where(`${condition} AND ${IS_SHOWN}`)
      .orderBy('video.uploadedAtMs')
      .addOrderBy('video.id')
      .limit(limit)
      .getMany()
  }

  /** In the order of the ids; those that were hidden meanwhile are left out. */
  private async listByIds(ids: readonly string[]): Promise<Video[]> {
    if (ids.length === 0) return []
    const rows = await this.rows().where(`video.id IN (:...ids) AND ${IS_SHOWN}`, { ids }).getMany()
    const places = new Map(ids.map((id, place) => [id, place]))
    return this.toVideos(rows.sort((a, b) => Number(places.get(a.id)) - Number(places.get(b.id))))
  }

  private async toVideo(row: VideoRow | null): Promise<Video | undefined> {
    return row === null ? undefined : (await this.toVideos([row]))[0]
  }

  private toVideos(rows: readonly VideoRow[]): Promise<Video[]> {
    return toVideos(this.source, rows)
  }
}

function addSomeOf(
  rows: SelectQueryBuilder<VideoRow>,
  column: 'deviceId' | 'fileName' | 'status',
  values: readonly string[] | undefined,
): void {
  if (!values) return
  const [first, ...more] = new Set(values)
  // One value by equality: the index then gives the order too.
  if (more.length === 0) rows.andWhere(`video.${column} = :${column}`, { [column]: first })
  else rows.andWhere(`video.${column} IN (:...${column})`, { [column]: [first, ...more] })
}

function definedOf<T extends object>(changes: T): Partial<T> {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)) as Partial<T>
}

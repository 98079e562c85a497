import { LRUCache } from 'lru-cache'
import type { SelectQueryBuilder } from 'typeorm'
import type { DeviceId } from '../../model/device-id.js'
import { queryWordsOf, searchWordsOf } from '../../model/search-text.js'
import { datetimeOf } from './datetime.js'
import {
  type DeviceChanges,
  type DeviceFacts,
  type DeviceQuery,
  type DeviceRecord,
  DeviceRecords,
} from './device-records.js'
import { DeviceAddressEntity } from './entities/device-address-entity.js'
import { DeviceEntity, type DeviceRow } from './entities/device-entity.js'
import { lockRows } from './row-lock.js'
import { isDuplicateKey } from './sql-errors.js'
import type { SqlSource } from './sql-source.js'

const DAY_MS = 86_400_000
/** Devices in one statement of `touch`: each is compared with each. */
const TOUCHED_AT_ONCE = 200
const ADDRESSES_REMEMBERED = 50_000
/** Each is a key of its own in the statement; nobody waits long for the write lock. */
const ADDRESSES_FORGOTTEN_AT_ONCE = 300
const STATUSES = 2
const KINDS = 2

/** Devices in the relational database. */
export class TypeormDeviceRecords extends DeviceRecords {
  /** @param rememberedMs when a pair of device and address was last written, so that most logins need not even read */
  constructor(
    private readonly source: SqlSource,
    private readonly rememberedMs = new LRUCache<string, number>({ max: ADDRESSES_REMEMBERED }),
  ) {
    super()
  }

  /** The same devices, read and written in a transaction. */
  within(transaction: SqlSource): TypeormDeviceRecords {
    return new TypeormDeviceRecords(transaction, this.rememberedMs)
  }

  async find(deviceId: DeviceId): Promise<DeviceRecord | undefined> {
    const query = this.source.createQueryBuilder(DeviceEntity, 'device')
    return (await query.where('device.deviceId = :deviceId', { deviceId }).getOne()) ?? undefined
  }

  async list(query: DeviceQuery): Promise<DeviceRecord[]> {
    const words = queryWordsOf(query.text ?? '')
    const findsNothing = words.length === 0 && (query.text ?? '').trim() !== ''
    const isEmpty = [query.statuses, query.kinds, query.among].some((values) => values?.length === 0)
    if (findsNothing || isEmpty) return []
    // Always from an id on: the key is then searched, not scanned, and gives the order.
    const rows = this.source
      .createQueryBuilder(DeviceEntity, 'device')
      .where('device.deviceId > :after', { after: query.afterDeviceId ?? '' })
      .orderBy('device.deviceId')
      .limit(query.limit)
    addSomeOf(rows, 'status', query.statuses, STATUSES)
    addSomeOf(rows, 'kind', query.kinds, KINDS)
    if (query.among) rows.andWhere('device.deviceId IN (:...among)', { among: query.among })
    if (query.except?.length) rows.andWhere('device.deviceId NOT IN (:...except)', { except: query.except })
    words.forEach((word, i) => {
      // Not LIKE: nothing in the word has a meaning of its own, and it is faster.
      rows.andWhere(`INSTR(device.search, :word${i}) > 0`, { [`word${i}`]: ` ${word}` })
    })
    return rows.getMany()
  }

  async insert(record: DeviceRecord): Promise<boolean> {
    const row: DeviceRow = { ...record, search: searchTextOf(record) }
    try {
      await this.source.createQueryBuilder().insert().into(DeviceEntity).values(row).updateEntity(false).execute()
      return true
    } catch (error) {
      if (isDuplicateKey(error)) return false
      throw error
    }
  }

  update(deviceId: DeviceId, changes: DeviceChanges): Promise<DeviceRecord | undefined> {
    return this.change(deviceId, () => definedOf(changes))
  }

  learn(deviceId: DeviceId, { protocol, brand, model }: DeviceFacts): Promise<DeviceRecord | undefined> {
    return this.change(deviceId, (before) => {
      const changes = {
        ...(before.protocol === protocol ? {} : { protocol }),
        ...(before.brand === null && brand !== undefined ? { brand } : {}),
        ...(before.model === null && model !== undefined ? { model } : {}),
      }
      return Object.keys(changes).length === 0 ? undefined : changes
    })
  }

  async delete(deviceId: DeviceId): Promise<boolean> {
    for (const pair of this.rememberedMs.keys())
      if (pair.startsWith(pairOf(deviceId, ''))) this.rememberedMs.delete(pair)
    return this.source.transaction(async (manager) => {
      const of = { deviceId }
      await manager.createQueryBuilder().delete().from(DeviceAddressEntity).where('deviceId = :deviceId', of).execute()
      const { affected } = await manager
        .createQueryBuilder()
        .delete()
        .from(DeviceEntity)
        .where('deviceId = :deviceId', of)
        .execute()
      return affected === 1
    })
  }

  async touch(lastSeen: readonly { readonly deviceId: DeviceId; readonly atMs: number }[]): Promise<void> {
    const latest = new Map<DeviceId, number>()
    for (const { deviceId, atMs } of lastSeen) latest.set(deviceId, Math.max(atMs, latest.get(deviceId) ?? atMs))
    const all = [...latest]
    // Statement by statement, not in one transaction: other writes go between.
    for (let i = 0; i < all.length; i += TOUCHED_AT_ONCE) await this.touchSome(all.slice(i, i + TOUCHED_AT_ONCE))
  }

  async rememberAddress(deviceId: DeviceId, address: string, atMs: number): Promise<void> {
    const pair = pairOf(deviceId, address)
    const isFresh = (seenAtMs: number | undefined) => seenAtMs !== undefined && atMs - seenAtMs < DAY_MS
    if (isFresh(this.rememberedMs.get(pair))) return
    const stored = await this.source.getRepository(DeviceAddressEntity).findOneBy({ deviceId, address })
    if (!isFresh(stored?.seenAtMs)) {
      await this.source
        .createQueryBuilder()
        .insert()
        .into(DeviceAddressEntity)
        .values({ deviceId, address, seenAtMs: atMs })
        .orUpdate(['seen_at'], ['device_id', 'address'])
        .updateEntity(false)
        .execute()
    }
    this.rememberedMs.set(pair, stored && isFresh(stored.seenAtMs) ? stored.seenAtMs : atMs)
  }

  async isKnownAddress(deviceId: DeviceId, address: string, sinceMs: number): Promise<boolean> {
    const stored = await this.source.getRepository(DeviceAddressEntity).findOneBy({ deviceId, address })
    return stored !== null && stored.seenAtMs >= sinceMs
  }

  async forgetAddresses(beforeMs: number): Promise<number> {
    const before = datetimeOf(beforeMs)
    for (let forgotten = 0; ; ) {
      const old = await this.source
        .createQueryBuilder(DeviceAddressEntity, 'seen')
        .select(['seen.deviceId', 'seen.address'])
        .where('seen.seenAtMs < :before', { before })
        .limit(ADDRESSES_FORGOTTEN_AT_ONCE)
        .getMany()
      if (old.length === 0) return forgotten
      const keys = old.map((_, i) => `(device_id = :device${i} AND address = :address${i})`).join(' OR ')
      const values = old.flatMap(({ deviceId, address }, i) => [
        [`device${i}`, deviceId],
        [`address${i}`, address],
      ])
      await this.source
        .createQueryBuilder()
        .delete()
        .from(DeviceAddressEntity)
        // The time again: a device may have come from there meanwhile.
        .where(`(${keys}) AND seen_at < :before`, { ...Object.fromEntries(values), before })
        .execute()
      forgotten += old.length
    }
  }

  /** @param changesOf undefined: nothing is written */
  private change(
    deviceId: DeviceId,
    changesOf: (before: DeviceRecord) => DeviceChanges | undefined,
  ): Promise<DeviceRecord | undefined> {
    return this.source.transaction(async (manager) => {
      const query = manager.createQueryBuilder(DeviceEntity, 'device')
      const before = await lockRows(query.where('device.deviceId = :deviceId', { deviceId })).getOne()
      if (!before) return undefined
      const changes = changesOf(before)
      if (changes === undefined) return before
      const after: DeviceRecord = { ...before, ...changes }
      await manager
        .createQueryBuilder()
        .update(DeviceEntity)
        .set({ ...changes, search: searchTextOf(after) })
        .where('deviceId = :deviceId', { deviceId })
        .execute()
      return after
    })
  }

  /** Written out, since TypeORM takes longer to put hundreds of named parameters into a statement than the database to run it. */
  private async touchSome(lastSeen: readonly (readonly [DeviceId, number])[]): Promise<void> {
    const when = 'WHEN device_id = ? AND (last_seen_at IS NULL OR last_seen_at < ?) THEN ?'
    const latest = `CASE ${lastSeen.map(() => when).join(' ')} ELSE last_seen_at END`
    const sql = `UPDATE devices SET last_seen_at = ${latest} WHERE device_id IN (${lastSeen.map(() => '?').join(', ')})`
    const whens = lastSeen.flatMap(([deviceId, atMs]) => [deviceId, datetimeOf(atMs), datetimeOf(atMs)])
    await this.source.query(sql, [...whens, ...lastSeen.map(([deviceId]) => deviceId)])
  }
}

/** A filter that lets every value through is none: it would only lead the query away from the key. */
function addSomeOf(
  rows: SelectQueryBuilder<DeviceRow>,
  column: 'status' | 'kind',
  values: readonly string[] | undefined,
  valuesInAll: number,
): void {
  const distinct = [...new Set(values)]
  if (values === undefined || distinct.length === valuesInAll) return
  if (distinct.length === 1) rows.andWhere(`device.${column} = :${column}`, { [column]: distinct[0] })
  else rows.andWhere(`device.${column} IN (:...${column})`, { [column]: distinct })
}

function searchTextOf({ deviceId, plate, name, brand, model }: DeviceRecord): string {
  const words = searchWordsOf({ labels: [deviceId, plate], prose: [name, brand, model] })
  return words.map((word) => ` ${word}`).join('')
}

function definedOf(changes: DeviceChanges): DeviceChanges {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined))
}

function pairOf(deviceId: DeviceId, address: string): string {
  return `${deviceId} ${address}`
}

import type { DeviceId } from '../../model/device-id.js'
import type { SqliteConnection, SqliteRow } from '../sqlite-connection.js'
import type { NewSpooledEntry, SpooledEntry, SpoolQuery, SpoolState } from './spool-store.js'

/** Of bodies in one list. */
const MOST_LISTED_BYTES = 4_194_304
const ERASED_AT_ONCE = 500
/** With less room than this some entries are refused. */
const SCARCE_BYTES = 16_384

/** The ids of one caller's entries, undefined for repeats; null: there is no room for them. */
export type KeptIds = ReadonlyArray<number | undefined> | null

/** The entries on one connection. What waits is counted in memory, and changes with the commits. */
export class SqliteSpoolEntries {
  private entries: number
  private bytes: number
  private readonly findKey
  private readonly insert
  private readonly lastId
  private readonly listSizes
  private readonly listSizesOfDevice
  private readonly findEntry
  private readonly findBytes
  private readonly deleteEntry
  private readonly listOfDevice
  private readonly findOldest

  /** @param maxBytes pages that hold something may take of the file */
  constructor(
    private readonly connection: SqliteConnection,
    private readonly maxBytes: number,
  ) {
    const count = connection.prepareQuery(
      'SELECT count(*), coalesce(sum(bytes), 0) FROM entries INDEXED BY entries_device',
    )
    const [entries, bytes] = count.get() ?? []
    this.entries = Number(entries)
    this.bytes = Number(bytes)
    this.findKey = connection.prepareQuery('SELECT id FROM entries WHERE device = ? AND key = ? LIMIT 1')
    this.insert = connection.prepareWrite('INSERT INTO entries(device, key, kept, bytes, body) VALUES (?, ?, ?, ?, ?)')
    this.lastId = connection.prepareQuery('SELECT last_insert_rowid()')
    this.listSizes = connection.prepareQuery('SELECT id, bytes FROM entries WHERE id > ? ORDER BY id LIMIT ?')
    this.listSizesOfDevice = connection.prepareQuery(
      'SELECT id, bytes FROM entries WHERE device = ? AND id > ? ORDER BY id LIMIT ?',
    )
    this.findEntry = connection.prepareQuery('SELECT id, device, key, kept, body FROM entries WHERE id = ?')
    this.findBytes = connection.prepareQuery('SELECT bytes FROM entries WHERE id = ?')
    this.deleteEntry = connection.prepareWrite('DELETE FROM entries WHERE id = ?')
    this.listOfDevice = connection.prepareQuery(`SELECT id FROM entries WHERE device = ? LIMIT ${ERASED_AT_ONCE}`)
    this.findOldest = connection.prepareQuery('SELECT kept FROM entries ORDER BY id LIMIT 1')
  }

  get state(): SpoolState {
    const oldest = this.findOldest.get()
    return { entries: this.entries, bytes: this.bytes, oldestAtMs: oldest === undefined ? null : Number(oldest[0]) }
  }

  get isFull(): boolean {
    return this.usedBytes() + SCARCE_BYTES > this.maxBytes
  }

  /** Several callers' entries in one transaction; each caller's are kept all or not at all. */
  keep(groups: ReadonlyArray<readonly NewSpooledEntry[]>): KeptIds[] {
    const kept = { entries: 0, bytes: 0 }
    const ids = this.connection.transact(() => groups.map((group) => this.keepGroup(group, kept)))
    this.entries += kept.entries
    this.bytes += kept.bytes
    return ids
  }

  list({ limit, afterId = 0, deviceId }: SpoolQuery): SpooledEntry[] {
    // Sizes first: bodies that are not to be answered are not read.
    const sizes =
      deviceId === undefined
        ? this.listSizes.all([afterId, limit])
        : this.listSizesOfDevice.all([deviceId, afterId, limit])
    let bytes = 0
    const listed = sizes.filter(([, size]) => {
      const isFirst = bytes === 0
      bytes += Number(size) + 1
      return isFirst || bytes <= MOST_LISTED_BYTES
    })
    return listed.flatMap(([id]) => {
      const row = this.findEntry.get([id ?? null])
      return row === undefined ? [] : [toEntry(row)]
    })
  }

  countByDevice(): Array<readonly [DeviceId, number]> {
    const rows = this.connection
      .prepareQuery('SELECT device, count(*) FROM entries INDEXED BY entries_device GROUP BY device')
      .all()
    return rows.map(([device, count]) => [String(device), Number(count)] as const)
  }

  remove(ids: readonly number[]): void {
    const removed = { entries: 0, bytes: 0 }
    this.connection.transact(() => {
      for (const id of ids) {
        const row = this.findBytes.get([id])
        if (row === undefined) continue
        this.deleteEntry.run([id])
        removed.entries += 1
        removed.bytes += Number(row[0])
      }
    })
    this.entries -= removed.entries
    this.bytes -= removed.bytes
  }

  /** @returns whether all are gone */
  eraseStep(deviceId: DeviceId): boolean {
    const ids = this.listOfDevice.all([deviceId]).map(([id]) => Number(id))
    this.remove(ids)
    return ids.length < ERASED_AT_ONCE
  }

  private keepGroup(group: readonly NewSpooledEntry[], kept: { entries: number; bytes: number }): KeptIds {
    const sizes: number[] = []
    this.connection.exec('SAVEPOINT one_caller')
    const ids = group.map((entry) => this.keepEntry(entry, sizes))
    const hasRoom = this.usedBytes() <= this.maxBytes
    if (!hasRoom) this.connection.exec('ROLLBACK TO one_caller')
    this.connection.exec('RELEASE one_caller')
    if (!hasRoom) return null
    kept.entries += sizes.length
    for (const size of sizes) kept.bytes += size
    return ids
  }

  private keepEntry({ deviceId, key, keptAtMs, body }: NewSpooledEntry, sizes: number[]): number | undefined {
    if (this.findKey.get([deviceId, key]) !== undefined) return undefined
    const bytes = Buffer.from(body)
    this.insert.run([deviceId, key, keptAtMs, bytes.length, bytes])
    sizes.push(bytes.length)
    return Number(this.lastId.get()?.[0])
  }

  private usedBytes(): number {
    const used = this.connection.queryNumber('PRAGMA page_count') - this.connection.queryNumber('PRAGMA freelist_count')
    return used * this.connection.queryNumber('PRAGMA page_size')
  }
}

function toEntry([id, deviceId, key, keptAtMs, body]: SqliteRow): SpooledEntry {
  return {
    id: Number(id),
    deviceId: String(deviceId),
    key: String(key),
    keptAtMs: Number(keptAtMs),
    body: body instanceof Uint8Array ? Buffer.from(body).toString() : '',
  }
}

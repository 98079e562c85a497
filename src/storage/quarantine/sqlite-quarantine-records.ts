import type { DeviceId } from '../../model/device-id.js'
import type { SqliteConnection, SqliteQuery, SqliteRow, SqliteValue } from '../sqlite-connection.js'
import { cutRaw } from './cut-raw.js'
import {
  type QuarantinedRecord,
  type QuarantineQuery,
  QuarantineStore,
  type StoredQuarantinedRecord,
} from './quarantine-store.js'

/** One place in the order of the list. */
interface Key {
  readonly receivedAtMs: number
  readonly id: number
}

/** Some 4 MB at most. */
const REMOVED_AT_ONCE = 500

/** The records on one connection. */
export class SqliteQuarantineRecords {
  private readonly insert
  private readonly findOldestToKeep
  private readonly deleteOlder
  private readonly findById
  private readonly deleteDevice
  private readonly deleteBefore
  private readonly keyQueries = new Map<string, SqliteQuery>()

  constructor(private readonly connection: SqliteConnection) {
    this.insert = connection.prepareWrite(
      'INSERT INTO records(device, ingress, code, received, raw) VALUES (?, ?, ?, ?, ?)',
    )
    this.findOldestToKeep = connection.prepareQuery(
      `SELECT received, id FROM records WHERE device = ? ORDER BY received DESC, id DESC
       LIMIT 1 OFFSET ${QuarantineStore.RECORDS_PER_DEVICE - 1}`,
    )
    this.deleteOlder = connection.prepareWrite('DELETE FROM records WHERE device = ? AND (received, id) < (?, ?)')
    this.findById = connection.prepareQuery('SELECT id, device, ingress, code, received, raw FROM records WHERE id = ?')
    this.deleteDevice = connection.prepareWrite('DELETE FROM records WHERE device = ?')
    this.deleteBefore = connection.prepareWrite(
      `DELETE FROM records WHERE id IN (SELECT id FROM records WHERE received < ? ORDER BY received, id LIMIT ${REMOVED_AT_ONCE})`,
    )
  }

  keep(records: readonly QuarantinedRecord[]): void {
    this.connection.transact(() => {
      for (const { deviceId, ingress, code, receivedAtMs, raw } of records) {
        this.insert.run([deviceId, ingress, code, receivedAtMs, cutRaw(raw, QuarantineStore.RAW_BYTES)])
      }
      for (const deviceId of new Set(records.map((record) => record.deviceId))) {
        const oldest = this.findOldestToKeep.get([deviceId])
        if (oldest) this.deleteOlder.run([deviceId, Number(oldest[0]), Number(oldest[1])])
      }
    })
  }

  list(query: QuarantineQuery): StoredQuarantinedRecord[] {
    // Keys first, each run of them from an index in order; only the rows of the page are then read.
    const keys = runsOf(query).flatMap(([where, values]) => this.listKeys(where, values, query))
    keys.sort((a, b) => b.receivedAtMs - a.receivedAtMs || b.id - a.id)
    return keys.slice(0, query.limit).flatMap(({ id }) => {
      const row = this.findById.get([id])
      return row ? [toRecord(row)] : []
    })
  }

  eraseDevice(deviceId: DeviceId): void {
    this.connection.transact(() => this.deleteDevice.run([deviceId]))
  }

  /** @returns how many were removed; fewer than were asked for when none is left */
  removeStep(receivedBeforeMs: number): { readonly removed: number; readonly isDone: boolean } {
    const removed = this.connection.transact(() => this.deleteBefore.run([receivedBeforeMs]))
    return { removed, isDone: removed < REMOVED_AT_ONCE }
  }

  private listKeys(where: string, values: readonly SqliteValue[], query: QuarantineQuery): Key[] {
    const sql = `SELECT received, id FROM records WHERE ${where} received >= ? AND received < ? AND (received, id) < (?, ?)
       ORDER BY received DESC, id DESC LIMIT ?`
    const statement = this.keyQueries.get(sql) ?? this.connection.prepareQuery(sql)
    this.keyQueries.set(sql, statement)
    const range = [query.fromMs ?? Number.NEGATIVE_INFINITY, query.toMs ?? Number.POSITIVE_INFINITY]
    const before = query.before
      ? [query.before.receivedAtMs, Number(query.before.id)]
      : [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
    return statement
      .all([...values, ...range, ...before, query.limit])
      .map(([receivedAtMs, id]) => ({ receivedAtMs: Number(receivedAtMs), id: Number(id) }))
  }
}

/** Conditions, with their values, that together match what the filters do, each served by one run of an index. */
function runsOf({ deviceIds, codes }: QuarantineQuery): (readonly [where: string, values: readonly SqliteValue[]])[] {
  if (deviceIds) {
    const [where, values] = codes ? ['code IN (SELECT value FROM json_each(?)) AND', [JSON.stringify(codes)]] : ['', []]
    return [...new Set(deviceIds)].map((deviceId) => [`device = ? AND ${where}`, [deviceId, ...values]])
  }
  if (codes) return [...new Set(codes)].map((code) => ['code = ? AND', [code]])
  return [['', []]]
}

function toRecord([id, deviceId, ingress, code, receivedAtMs, raw]: SqliteRow): StoredQuarantinedRecord {
  return {
    id: String(id),
    deviceId: String(deviceId),
    ingress: String(ingress),
    code: String(code),
    receivedAtMs: Number(receivedAtMs),
    raw: raw instanceof Uint8Array ? Buffer.from(raw).toString() : '',
  }
}

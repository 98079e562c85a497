import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { DataSource } from 'typeorm'
import { openSqliteDataSource } from './sqlite-data-source.js'
import { SqliteQueryRunner } from './sqlite-query-runner.js'
import { TypeormDeviceRecords } from './typeorm-device-records.js'
import { TypeormIdempotencyRecords } from './typeorm-idempotency-records.js'

const T = Date.parse('2026-11-22T07:30:00.123Z')
const ROWS = 2100

describe('what is old', () => {
  let directory: string
  let source: DataSource

  beforeAll(async () => {
    directory = mkdtempSync(path.join(tmpdir(), 'milepost-removal-'))
    source = await openSqliteDataSource({ file: path.join(directory, 'milepost.sqlite') })
  })
  afterAll(async () => {
    await source.destroy()
    rmSync(directory, { recursive: true, force: true })
  })

  async function fill(insert: string): Promise<void> {
    await source.query(
      `WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ${ROWS}) ${insert} FROM counted`,
    )
  }

  async function removalsOf(call: () => Promise<number>): Promise<{ removed: number; statements: number }> {
    const query = jest.spyOn(SqliteQueryRunner.prototype, 'query')
    try {
      const removed = await call()
      return { removed, statements: query.mock.calls.filter(([sql]) => sql.startsWith('DELETE')).length }
    } finally {
      query.mockRestore()
    }
  }

  it('of addresses is forgotten in steps, so that nobody waits long', async () => {
    await fill("INSERT INTO device_addresses SELECT 'd' || n, '::1', '2026-01-01 00:00:00.000'")

    const removals = await removalsOf(() => new TypeormDeviceRecords(source).forgetAddresses(T))

    expect(removals).toEqual({ removed: ROWS, statements: 7 })
  })

  it('of keys of requests is removed in steps', async () => {
    await fill(
      "INSERT INTO idempotency_keys (scope_hash, body_hash, created_at) SELECT 'k' || n, '', '2026-01-01 00:00:00.000'",
    )

    const removals = await removalsOf(() => new TypeormIdempotencyRecords(source).removeOlderThan(T))

    expect(removals).toEqual({ removed: ROWS, statements: 3 })
  })
})

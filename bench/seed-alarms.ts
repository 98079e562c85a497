import path from 'node:path'
import Database from 'libsql'
import { SQL_FILE } from '../src/storage/sql/open-sqlite-records.js'
import { openSqliteDataSource } from '../src/storage/sql/sqlite-data-source.js'
import { SEED_COLUMNS, SEED_TABLES, type SeedPlan, type SeedRow, type SeedTable, seedRows } from './seed-rows.js'

const ROWS_AT_ONCE = 50

/** Rows of one table, written many in a statement. */
class Table {
  private readonly many: Database.Statement
  private readonly one: Database.Statement

  constructor(database: Database.Database, name: SeedTable) {
    const columns = SEED_COLUMNS[name]
    const row = `(${columns.map(() => '?').join(', ')})`
    const insert = `INSERT INTO ${name} (${columns.join(', ')}) VALUES`
    this.many = database.prepare(`${insert} ${Array.from({ length: ROWS_AT_ONCE }, () => row).join(', ')}`)
    this.one = database.prepare(`${insert} ${row}`)
  }

  insert(rows: readonly SeedRow[]): void {
    const rest = rows.length % ROWS_AT_ONCE
    for (let i = 0; i < rows.length - rest; i += ROWS_AT_ONCE) this.many.run(rows.slice(i, i + ROWS_AT_ONCE).flat())
    for (const row of rows.slice(rows.length - rest)) this.one.run([...row])
  }
}

/**
 * Fills an empty embedded database with alarms as a fleet makes them. Not through the records: a million would take minutes; the indexes
 * are made at the end.
 * @param directory an existing one without a database
 */
export async function seedAlarms(directory: string, plan: SeedPlan): Promise<void> {
  const file = path.join(directory, SQL_FILE)
  await (await openSqliteDataSource({ file })).destroy()
  const database = new Database(file)
  try {
    database.exec('PRAGMA synchronous=OFF; PRAGMA cache_size=-262144; PRAGMA temp_store=MEMORY')
    const indexes = database
      .prepare(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name LIKE 'alarm%' AND sql IS NOT NULL",
      )
      .all() as { name: string; sql: string }[]
    for (const { name } of indexes) database.exec(`DROP INDEX ${name}`)
    fill(database, plan)
    for (const { sql } of indexes) database.exec(sql)
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  } finally {
    database.close()
  }
}

function fill(database: Database.Database, plan: SeedPlan): void {
  const tables = SEED_TABLES.map((name) => ({ name, table: new Table(database, name) }))
  for (const rows of seedRows(plan)) {
    database.exec('BEGIN')
    for (const { name, table } of tables) table.insert(rows[name])
    database.exec('COMMIT')
  }
}

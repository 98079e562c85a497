import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { SEED_COLUMNS, SEED_TABLES, type SeedPlan, type SeedRow, type SeedTable, seedRows } from './seed-rows.js'

const ROWS_AT_ONCE = 1000

/** Indexes whose rows come in another order than theirs; they are made when all rows are there. */
const MADE_AT_THE_END = ['alarms', 'alarm_files'] as const

/**
 * Fills the empty tables of a MySQL or MariaDB database, whose schema is there, with the alarms that {@link seedRows} makes, and has the
 * server look at what is in them.
 * @param url `mysql://…`
 */
export async function seedServerAlarms(url: string, plan: SeedPlan): Promise<void> {
  const connection = await createConnection({ uri: url, timezone: 'Z' })
  try {
    await connection.query('SET unique_checks = 0')
    const indexes = await Promise.all(MADE_AT_THE_END.map((table) => indexesOf(connection, table)))
    for (const [i, table] of MADE_AT_THE_END.entries()) {
      await alter(connection, table, indexes[i] ?? [], ({ name }) => `DROP INDEX ${name}`)
    }
    for (const rows of seedRows(plan)) await insert(connection, rows)
    for (const [i, table] of MADE_AT_THE_END.entries()) {
      await alter(connection, table, indexes[i] ?? [], ({ name, isUnique, columns }) => {
        return `ADD ${isUnique ? 'UNIQUE ' : ''}INDEX ${name} (${columns})`
      })
    }
    await connection.query(`ANALYZE TABLE ${SEED_TABLES.join(', ')}`)
  } finally {
    await connection.end()
  }
}

async function insert(connection: Connection, rows: Readonly<Record<SeedTable, SeedRow[]>>): Promise<void> {
  await connection.beginTransaction()
  for (const table of SEED_TABLES) {
    const into = `INSERT INTO ${table} (${SEED_COLUMNS[table].join(', ')}) VALUES ?`
    for (let i = 0; i < rows[table].length; i += ROWS_AT_ONCE) {
      await connection.query(into, [rows[table].slice(i, i + ROWS_AT_ONCE)])
    }
  }
  await connection.commit()
}

interface Index {
  readonly name: string
  readonly isUnique: boolean
  readonly columns: string
}

async function indexesOf(connection: Connection, table: string): Promise<Index[]> {
  const [rows] = await connection.query<RowDataPacket[]>(
    `SELECT index_name AS name, MIN(non_unique) AS other, GROUP_CONCAT(column_name ORDER BY seq_in_index) AS columns_
      FROM information_schema.statistics
      WHERE table_schema = DATABASE() AND table_name = ? AND index_name <> 'PRIMARY' GROUP BY index_name`,
    [table],
  )
  return rows.map(({ name, other, columns_ }) => ({ name, isUnique: Number(other) === 0, columns: columns_ }))
}

async function alter(
  connection: Connection,
  table: string,
  indexes: readonly Index[],
  change: (index: Index) => string,
): Promise<void> {
  if (indexes.length > 0) await connection.query(`ALTER TABLE ${table} ${indexes.map(change).join(', ')}`)
}

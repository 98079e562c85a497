import type { DataSource, EntityMetadata } from 'typeorm'
import { compareBytes } from './compare-bytes.js'

/** What a column holds, whatever the database calls it. */
type ColumnKind = 'text' | 'number' | 'flag' | 'time'

/** A value as both sides have it: times are epoch milliseconds, flags 0 and 1. */
export type CopiedValue = string | number | null

/** A row, in the order of the table's columns. */
export type CopiedRow = readonly CopiedValue[]

export interface CopiedColumn {
  readonly name: string
  readonly kind: ColumnKind
}

/** A table as it is copied. */
export interface CopiedTable {
  readonly name: string
  /** Those of the key first, in its order. */
  readonly columns: readonly CopiedColumn[]
  /** So many columns make the key. */
  readonly keyWidth: number
}

const KINDS: Readonly<Record<string, ColumnKind>> = {
  varchar: 'text',
  text: 'text',
  mediumtext: 'text',
  longtext: 'text',
  'simple-json': 'text',
  int: 'number',
  bigint: 'number',
  double: 'number',
  boolean: 'flag',
  datetime: 'time',
}

/** Every table that the program keeps, so that what is referred to comes before what refers to it. */
export async function listCopiedTables(dataSource: DataSource): Promise<CopiedTable[]> {
  const tables = dataSource.entityMetadatas.map(toCopiedTable)
  return inOrderOfReferences(tables, await listReferences(dataSource, tables))
}

/** @throws TypeError a column is of a type that nobody said how to copy */
export function toCopiedTable({ tableName, columns }: Pick<EntityMetadata, 'tableName' | 'columns'>): CopiedTable {
  const key = columns.filter(({ isPrimary }) => isPrimary)
  const rest = columns.filter(({ isPrimary }) => !isPrimary)
  const toColumn = ({ databaseName, type }: EntityMetadata['columns'][number]): CopiedColumn => {
    const kind = KINDS[String(type)]
    if (kind === undefined) throw new TypeError(`${tableName}.${databaseName}: no way to copy a ${String(type)}`)
    return { name: databaseName, kind }
  }
  return { name: tableName, columns: [...key, ...rest].map(toColumn), keyWidth: key.length }
}

/** @param value as a driver gives it */
export function fromDatabase(value: unknown, kind: ColumnKind): CopiedValue {
  if (value === null || value === undefined) return null
  if (kind === 'text') return typeof value === 'string' ? value : textOf(value)
  if (kind === 'time')
    return value instanceof Date ? value.getTime() : Date.parse(`${String(value).replace(' ', 'T')}Z`)
  return Number(value) + 0 // −0 and 0 are one to SQLite
}

/** As both drivers take it. */
export function toDatabase(value: CopiedValue, kind: ColumnKind): string | number | Date | null {
  return kind === 'time' && typeof value === 'number' ? new Date(value) : value
}

export function compareKeys({ columns, keyWidth }: CopiedTable, a: CopiedRow, b: CopiedRow): number {
  for (const index of columns.keys()) {
    if (index === keyWidth) break
    const [left, right] = [a[index] ?? null, b[index] ?? null]
    if (left === right) continue
    if (typeof left === 'number' && typeof right === 'number') return left - right
    return compareBytes(String(left), String(right))
  }
  return 0
}

/** For people. */
export function nameOfRow({ name, columns, keyWidth }: CopiedTable, row: CopiedRow): string {
  const key = columns.slice(0, keyWidth).map((column, index) => `${column.name} ${String(row[index])}`)
  return `${name}, ${key.join(', ')}`
}

/** A JSON column comes parsed where the database knows such columns. */
function textOf(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString() : JSON.stringify(value)
}

async function listReferences(dataSource: DataSource, tables: readonly CopiedTable[]): Promise<Map<string, string[]>> {
  const queryRunner = dataSource.createQueryRunner()
  try {
    const found = await queryRunner.getTables(tables.map(({ name }) => name))
    const bare = (name: string) => name.slice(name.lastIndexOf('.') + 1)
    return new Map(
      found.map(({ name, foreignKeys }) => [
        bare(name),
        foreignKeys.map(({ referencedTableName }) => bare(referencedTableName)),
      ]),
    )
  } finally {
    await queryRunner.release()
  }
}

function inOrderOfReferences(tables: readonly CopiedTable[], references: Map<string, string[]>): CopiedTable[] {
  const ordered = new Map<string, CopiedTable>()
  const add = (table: CopiedTable, above: readonly string[]): void => {
    if (ordered.has(table.name) || above.includes(table.name)) return
    for (const name of references.get(table.name) ?? []) {
      const referred = tables.find((one) => one.name === name)
      if (referred) add(referred, [...above, table.name])
    }
    ordered.set(table.name, table)
  }
  for (const table of tables) add(table, [])
  return [...ordered.values()]
}

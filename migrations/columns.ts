import type { QueryRunner, TableColumnOptions } from 'typeorm'

type Extra = Pick<TableColumnOptions, 'isPrimary' | 'isNullable'>

/** The kinds of columns that the migrations use, the same on every database. */
export interface Columns {
  /** Compares byte by byte. */
  text(name: string, length: number, extra?: Extra): TableColumnOptions
  /** Up to 64 KiB. */
  longText(name: string, extra?: Extra): TableColumnOptions
  /** Up to 16 MiB. */
  hugeText(name: string, extra?: Extra): TableColumnOptions
  /** UTC, milliseconds; always set by the program, since databases differ in the defaults that they take. */
  time(name: string, extra?: Extra): TableColumnOptions
  flag(name: string, extra?: Extra): TableColumnOptions
  integer(name: string, extra?: Extra): TableColumnOptions
  /** Up to 2^53, as the program counts. */
  bigInteger(name: string, extra?: Extra): TableColumnOptions
  /** As the program calculates: 64 bits. */
  double(name: string, extra?: Extra): TableColumnOptions
}

/** The columns for the database that the migration runs on. */
export async function columnsFor(queryRunner: QueryRunner): Promise<Columns> {
  const bytewise = await bytewiseCollation(queryRunner)
  return {
    text: (name, length, extra) => ({ name, type: 'varchar', length: String(length), ...bytewise, ...extra }),
    longText: (name, extra) => ({ name, type: 'text', ...bytewise, ...extra }),
    hugeText: (name, extra) => ({ name, type: 'mediumtext', ...bytewise, ...extra }),
    time: (name, extra) => ({ name, type: 'datetime', precision: 3, ...extra }),
    flag: (name, extra) => ({ name, type: 'boolean', ...extra }),
    integer: (name, extra) => ({ name, type: 'int', ...extra }),
    bigInteger: (name, extra) => ({ name, type: 'bigint', ...extra }),
    double: (name, extra) => ({ name, type: 'double', ...extra }),
  }
}

/** SQLite compares bytes anyway; the other databases ignore case by default, and trailing blanks even in their plain `_bin`. */
async function bytewiseCollation(queryRunner: QueryRunner): Promise<Pick<TableColumnOptions, 'charset' | 'collation'>> {
  const { type } = queryRunner.dataSource.options
  if (type !== 'mysql' && type !== 'mariadb') return {}
  const [{ version }] = await queryRunner.query('SELECT VERSION() AS version')
  const isMariaDb = /mariadb/i.test(version)
  return { charset: 'utf8mb4', collation: isMariaDb ? 'utf8mb4_nopad_bin' : 'utf8mb4_0900_bin' }
}

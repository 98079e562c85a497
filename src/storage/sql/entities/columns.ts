import type { EntitySchemaColumnOptions, ValueTransformer } from 'typeorm'

/** Epoch milliseconds inside, a UTC date with milliseconds in the database. */
const EPOCH_MS: ValueTransformer = {
  to: (ms: number | null | undefined) => (typeof ms === 'number' ? new Date(ms) : ms),
  from: (date: Date | null) => date?.getTime() ?? null,
}

/** MySQL's driver gives large integers as text. */
const SAFE_INTEGER: ValueTransformer = {
  to: (value: number | null | undefined) => value,
  from: (value: number | string | null) => (value === null ? null : Number(value)),
}

/** A column of epoch milliseconds. Conditions of queries take what `datetimeOf` makes, since transformers do not reach them. */
export function timeColumn(name: string, options: { readonly nullable?: boolean } = {}): EntitySchemaColumnOptions {
  return { name, type: 'datetime', precision: 3, transformer: EPOCH_MS, ...options }
}

export function textColumn(
  name: string,
  options: Pick<EntitySchemaColumnOptions, 'primary' | 'nullable' | 'select'> = {},
): EntitySchemaColumnOptions {
  return { name, type: 'varchar', ...options }
}

export function flagColumn(name: string): EntitySchemaColumnOptions {
  return { name, type: 'boolean' }
}

export function integerColumn(name: string, options: { readonly nullable?: boolean } = {}): EntitySchemaColumnOptions {
  return { name, type: 'int', ...options }
}

/** A column of whole numbers up to 2^53. */
export function bigIntegerColumn(
  name: string,
  options: { readonly nullable?: boolean } = {},
): EntitySchemaColumnOptions {
  return { name, type: 'bigint', transformer: SAFE_INTEGER, ...options }
}

import type { Queries } from './sql-rows.js'

/** A setting of the server that a promise is not kept with, or work fails by. */
export interface UnsafeSetting {
  readonly setting: string
  readonly value: string
  /** In words. */
  readonly risk: string
}

/** The longest statements are some megabytes; what one row may hold is the most of them. */
const MIN_PACKET_BYTES = 16_777_216

const LOSES = 'a crash of the machine loses what was acknowledged'

type Values = ReadonlyMap<string, string>

interface Check {
  readonly setting: string
  readonly isUnsafe: (value: string, all: Values) => boolean
  readonly risk: string
}

const isOn = (value: string | undefined) => value !== undefined && /^(?:1|ON|YES)$/i.test(value)

const CHECKS: readonly Check[] = [
  { setting: 'innodb_flush_log_at_trx_commit', isUnsafe: (value) => value !== '1', risk: LOSES },
  {
    setting: 'sync_binlog',
    isUnsafe: (value, all) => isOn(all.get('log_bin')) && value !== '1',
    risk: 'after a crash of the machine replicas and restored logs differ from the server',
  },
  {
    setting: 'innodb_doublewrite',
    isUnsafe: (value) => value === 'OFF' || value === '0',
    risk: 'a page that was half written at a crash cannot be mended',
  },
  { setting: 'innodb_flush_method', isUnsafe: (value) => /nosync/i.test(value), risk: LOSES },
  {
    setting: 'binlog_format',
    isUnsafe: (value, all) => isOn(all.get('log_bin')) && /^statement$/i.test(value),
    risk: 'every write is refused, since statements cannot be logged under READ COMMITTED: ROW or MIXED',
  },
  {
    setting: 'max_allowed_packet',
    isUnsafe: (value) => Number(value) < MIN_PACKET_BYTES,
    risk: `the longest statements are refused: at least ${MIN_PACKET_BYTES}`,
  },
]

/** Also those that a server does not have, which are left out. */
export async function findUnsafeSettings(queries: Queries): Promise<UnsafeSetting[]> {
  const names = [...CHECKS.map(({ setting }) => setting), 'log_bin']
  const rows = await queries.query<{ Variable_name: string; Value: string }[]>(
    `SHOW GLOBAL VARIABLES WHERE Variable_name IN (${names.map(() => '?').join(', ')})`,
    names,
  )
  const values = new Map(rows.map(({ Variable_name, Value }) => [Variable_name.toLowerCase(), Value]))
  return CHECKS.flatMap(({ setting, isUnsafe, risk }) => {
    const value = values.get(setting)
    return value !== undefined && isUnsafe(value, values) ? [{ setting, value, risk }] : []
  })
}

import { findUnsafeSettings } from './mysql-settings.js'
import type { Queries } from './sql-rows.js'

const SAFE = {
  innodb_flush_log_at_trx_commit: '1',
  sync_binlog: '0',
  log_bin: 'OFF',
  innodb_doublewrite: 'ON',
  innodb_flush_method: 'O_DIRECT',
  binlog_format: 'STATEMENT',
  max_allowed_packet: '16777216',
}

describe('the settings of a server', () => {
  const unsafeOf = async (changes: Partial<typeof SAFE>) => {
    const rows = Object.entries({ ...SAFE, ...changes }).map(([Variable_name, Value]) => ({ Variable_name, Value }))
    const queries = { query: async () => rows } as unknown as Queries
    return (await findUnsafeSettings(queries)).map(({ setting, value }) => `${setting}=${value}`)
  }

  it('are safe by default, and without a binary log whatever is said of it', async () => {
    expect(await unsafeOf({})).toEqual([])
  })

  it.each([
    [{ innodb_flush_log_at_trx_commit: '2' }, ['innodb_flush_log_at_trx_commit=2']],
    [{ log_bin: 'ON', binlog_format: 'MIXED' }, ['sync_binlog=0']],
    [{ log_bin: '1', sync_binlog: '1' }, ['binlog_format=STATEMENT']],
    [{ innodb_doublewrite: 'OFF' }, ['innodb_doublewrite=OFF']],
    [{ innodb_flush_method: 'O_DIRECT_NO_FSYNC' }, []],
    [{ innodb_flush_method: 'nosync' }, ['innodb_flush_method=nosync']],
    [{ max_allowed_packet: '1048576' }, ['max_allowed_packet=1048576']],
  ])('%j are told', async (changes, told) => {
    expect(await unsafeOf(changes)).toEqual(told)
  })
})

import { StoreOpenError } from '../store-open-error.js'
import { MysqlDataSource, type MysqlOptions } from './mysql-data-source.js'
import { plainReason } from './mysql-errors.js'
import { CALL_LIMITS, type MysqlLimits } from './mysql-limits.js'
import { bringUpToDate } from './mysql-schema.js'
import { parseMysqlUrl } from './mysql-url.js'

/**
 * Connects to a server and brings the schema of its database up to date.
 * @throws StoreOpenError naming the server and the reason
 */
export async function openMysqlDataSource(
  options: MysqlOptions,
  limits: MysqlLimits = CALL_LIMITS,
): Promise<MysqlDataSource> {
  await bringUpToDate(options)
  const dataSource = new MysqlDataSource(options, limits)
  try {
    await dataSource.initialize()
    return dataSource
  } catch (cause) {
    if (dataSource.isInitialized) await dataSource.destroy()
    if (cause instanceof StoreOpenError) throw cause
    throw new StoreOpenError(parseMysqlUrl(options.url).shown, plainReason(cause), { cause })
  }
}

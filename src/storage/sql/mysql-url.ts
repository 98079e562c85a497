import { StoreOpenError } from '../store-open-error.js'

/** What a URL of a MySQL or MariaDB server says. */
export interface MysqlAddress {
  readonly host: string
  readonly port: number
  readonly username: string
  readonly password: string
  readonly database: string
  /** The URL without user and password, for messages. */
  readonly shown: string
}

const DEFAULT_PORT = 3306

/**
 * @param url such as mysql://user:password@host:3306/milepost, also with mariadb:; user, password and database percent-encoded
 * @throws StoreOpenError when it says what nobody would obey
 */
export function parseMysqlUrl(url: string): MysqlAddress {
  const parsed = new URL(url)
  const shown = `${parsed.protocol}//${parsed.host}${parsed.pathname}`
  if (parsed.search !== '') {
    throw new StoreOpenError(shown, `SQL_URL takes no parameters (${parsed.search}); TLS is asked for by SQL_TLS`)
  }
  return {
    // Of an IPv6 address without its brackets.
    host: parsed.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: parsed.port === '' ? DEFAULT_PORT : Number(parsed.port),
    username: decodeURIComponent(parsed.username),
    password: decodeURIComponent(parsed.password),
    database: decodeURIComponent(parsed.pathname.slice(1)),
    shown,
  }
}

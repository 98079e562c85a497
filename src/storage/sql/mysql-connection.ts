import type { PoolConnection } from 'mysql2'
import type { MysqlLimits } from './mysql-limits.js'

/** A connection of the pool, for one caller. */
export interface Lease {
  readonly connection: PoolConnection
  /** Gives it back, or what is left of it. */
  readonly release: () => void
}

export interface LeaseSource {
  readonly limits: MysqlLimits
  /**
   * A connection for the caller alone.
   * @param waitMs how long the caller has; waiting for a turn is part of it
   * @throws AppError `store_unavailable` | `overloaded` when there is none in time; the driver's error when the server gives none
   */
  lease(waitMs: number): Promise<Lease>
}

/** A statement that was given up: its connection is closed, and whether it was done is not known. */
export class StatementTimeout extends Error {
  override readonly name = 'StatementTimeout'
  readonly code = 'NO_ANSWER'

  constructor(limitMs: number) {
    super(`no answer within ${limitMs} ms`)
  }
}

/** A connection that was given up with what was under way on it. */
export class ConnectionGivenUp extends Error {
  override readonly name = 'ConnectionGivenUp'
  readonly code = 'NO_ANSWER'

  constructor() {
    super('the connection was given up')
  }
}

/** How to end what is under way on a connection: the driver forgets it when the connection is closed from this side. */
const underWay = new WeakMap<PoolConnection, Set<(error: Error) => void>>()

/**
 * Runs a statement on a connection; one that is not answered in time takes the connection with it.
 * @returns rows, or what the statement did
 * @throws StatementTimeout | ConnectionGivenUp, or the driver's error
 */
export function runInTime(
  connection: PoolConnection,
  sql: string,
  values: readonly unknown[],
  limitMs: number,
): Promise<unknown> {
  const endings = underWay.get(connection) ?? new Set()
  underWay.set(connection, endings)
  return new Promise((resolve, reject) => {
    const end = (error: unknown, answer?: unknown) => {
      clearTimeout(timer)
      endings.delete(end)
      if (error) reject(error)
      else resolve(answer)
    }
    const timer = setTimeout(() => {
      end(new StatementTimeout(limitMs))
      discard(connection)
    }, limitMs)
    endings.add(end)
    connection.query(sql, [...values], end)
  })
}

/** Ends a connection at once: nothing that was begun on it goes on, and nobody gets it again. */
export function discard(connection: PoolConnection): void {
  connection.destroy()
  // The driver only says goodbye, which a server that is away never hears: the socket would stay.
  const { stream } = connection as unknown as { readonly stream?: { destroy(): void } }
  stream?.destroy()
  for (const end of [...(underWay.get(connection) ?? [])]) end(new ConnectionGivenUp())
}

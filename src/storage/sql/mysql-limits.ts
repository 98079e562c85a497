/** How long things may take on a server. */
export interface MysqlLimits {
  /** A call with everything in it: waiting for a connection, a whole transaction, its repeats. */
  readonly callMs: number
  /** Of it, waiting for a connection of the pool or for a new one. */
  readonly waitMs: number
  /** Of it, until a server that does not answer a new connection is given up. */
  readonly connectMs: number
  /** A statement; the server ends it, and soon after the program does not wait for it any longer. */
  readonly statementMs: number
  /** Waiting for a row that another transaction holds; the server counts in seconds. */
  readonly lockWaitS: number
  /** Whether what was lost or beaten is tried again, on another connection if need be. */
  readonly repeats: boolean
}

/** Whoever waits for an ack gets an answer well within 10 s. */
export const CALL_LIMITS: MysqlLimits = {
  callMs: 8000,
  waitMs: 4000,
  connectMs: 3000,
  statementMs: 6000,
  lockWaitS: 2,
  repeats: true,
}

const DAY_MS = 86_400_000

/** For changes of the schema, which may copy large tables. */
export const PATIENT_LIMITS: MysqlLimits = {
  callMs: DAY_MS,
  waitMs: 10_000,
  connectMs: 5000,
  statementMs: DAY_MS,
  lockWaitS: 60,
  // The connection holds the lock.
  repeats: false,
}

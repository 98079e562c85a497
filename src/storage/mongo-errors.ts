import mongoose, { type mongo } from 'mongoose'
import { AppError } from '../model/app-error.js'

const RETRY_AFTER_MS = 2000

/** A document with this key exists. */
export const DUPLICATE_KEY = 11000
/** What FerretDB says of writes that met each other in a different order: nothing was written, the same may be sent again at once. */
export const DEADLOCK = 16908292
const OUT_OF_DISK_SPACE = 14031
/** PostgreSQL under FerretDB says it in words only. */
const NO_SPACE = /no space left on device|out ?of ?disk ?space|disk (?:is )?full/i
/** BadValue, InvalidBSON, DocumentValidationFailure, BSONObjectTooLarge, KeyTooLong: what was to be written can never be. */
const REFUSES_VALUE: ReadonlySet<unknown> = new Set([2, 22, 121, 10334, 17280])

/** One document of a bulk write that was not written. */
export interface MongoWriteFault {
  readonly index: number
  readonly code: number
  readonly message: string
}

/**
 * What went wrong with single documents of a bulk write.
 * @returns undefined when the fault is that of the whole write, also when its durability was not confirmed
 */
export function writeFaultsOf(error: unknown): readonly MongoWriteFault[] | undefined {
  if (!(error instanceof mongoose.mongo.MongoBulkWriteError)) return undefined
  if (error.result.getWriteConcernError()) return undefined
  const faults = Array.isArray(error.writeErrors) ? error.writeErrors : [error.writeErrors]
  if (faults.length === 0) return undefined
  return faults.map(({ index, code, errmsg }) => ({ index, code, message: errmsg ?? `code ${code}` }))
}

export function isDuplicateKey(error: unknown): boolean {
  return codeOf(error) === DUPLICATE_KEY
}

/**
 * A whole statement met another one, and nothing of it was done. A bulk write that failed in parts has the code of the first of them:
 * that is none, since the parts that were written would come back as written before.
 */
export function isDeadlock(error: unknown): boolean {
  return codeOf(error) === DEADLOCK && !(error instanceof mongoose.mongo.MongoBulkWriteError && isPartial(error))
}

function isPartial(error: mongo.MongoBulkWriteError): boolean {
  const { insertedCount, matchedCount, deletedCount, upsertedCount } = error
  const faults = Array.isArray(error.writeErrors) ? error.writeErrors.length : 1
  return faults + insertedCount + matchedCount + deletedCount + upsertedCount > 0
}

/** The server's number for a fault. */
export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

/** In words, without what a driver's error carries of documents. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = codeOf(error)
  return typeof code === 'number' ? `${error.message} (${code})` : error.message
}

/**
 * What a caller of a store gets to see of a fault. Whatever is not plainly the fault of a value is the server's: a lost connection, a
 * primary that stepped down, a time limit, and FerretDB's code 1, which it gives while its database restarts.
 * @returns AppError `store_unavailable` | `disk_full`; RangeError: the documents were refused and always will be
 */
export function toMongoFault(store: string, error: unknown): Error {
  if (error instanceof AppError || error instanceof RangeError) return error
  const reason = `${store}: ${reasonOf(error)}`
  const code = codeOf(error)
  if (code === OUT_OF_DISK_SPACE || NO_SPACE.test(reason)) {
    return new AppError('disk_full', reason, { cause: error, retryAfterMs: RETRY_AFTER_MS })
  }
  const isWriteConcern = error instanceof mongoose.mongo.MongoWriteConcernError
  if ((!isWriteConcern && REFUSES_VALUE.has(code)) || error instanceof mongoose.mongo.BSON.BSONError) {
    return new RangeError(reason, { cause: error })
  }
  return mongoUnavailable(reason, error)
}

export function mongoUnavailable(reason: string, cause?: unknown): AppError {
  return new AppError('store_unavailable', reason, { cause, retryAfterMs: RETRY_AFTER_MS })
}

import { readFileSync } from 'node:fs'

const HEADER_BYTES = 32
const FRAME_HEADER_BYTES = 24
const PAGE_SIZE_AT = 8
const SALTS_AT = 16
const SALTS_BYTES = 8
const FRAME_SALTS_AT = 8
const FRAME_COMMIT_AT = 4

/** Transactions in a write-ahead log since it was begun anew. */
export interface WalCommits {
  /** Another one: the log was begun anew in between, and counts cannot be compared. */
  readonly generation: string
  readonly commits: number
}

/**
 * Counts the transactions that SQLite committed to a write-ahead log: frames that carry the size of the database afterwards.
 * @param file `<database>-wal`
 * @source SQLite, "WAL-mode File Format"
 */
export function countWalCommits(file: string): WalCommits {
  const log = readFileSync(file)
  if (log.length < HEADER_BYTES) return { generation: '', commits: 0 }
  const frameBytes = FRAME_HEADER_BYTES + log.readUInt32BE(PAGE_SIZE_AT)
  const salts = log.subarray(SALTS_AT, SALTS_AT + SALTS_BYTES)
  let commits = 0
  for (let at = HEADER_BYTES; at + frameBytes <= log.length; at += frameBytes) {
    // Frames behind are of the generation before.
    if (salts.compare(log, at + FRAME_SALTS_AT, at + FRAME_SALTS_AT + SALTS_BYTES) !== 0) break
    if (log.readUInt32BE(at + FRAME_COMMIT_AT) !== 0) commits += 1
  }
  return { generation: salts.toString('hex'), commits }
}

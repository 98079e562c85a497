import type { mongo } from 'mongoose'
import { GatheredAttributes } from '../../model/gathered-attributes.js'
import type { Attributes } from '../../model/position.js'
import { mapInOrder } from '../copy/map-in-order.js'
import { pauseAfterDeadlock, retryDeadlocks } from '../mongo-calls.js'
import { DEADLOCK, mongoUnavailable, writeFaultsOf } from '../mongo-errors.js'
import type { PositionDocument } from './mongo-position-document.js'
import { compareIds } from './mongo-position-key.js'

/** A part of a record that is stored. */
export interface StoredPart {
  /** Whatever its caller knows it by. */
  readonly index: number
  readonly id: string
  readonly attributes: Attributes | null
}

/** All parts of one record, in the order of arrival. */
type Parts = readonly [id: string, parts: readonly StoredPart[]]

/** Their attributes may have 64 KiB each, and are read on the thread that acknowledges. */
const RECORDS_PER_STATEMENT = 100
/** Of 20 connections: others need some too. */
const STATEMENTS_AT_ONCE = 12
const MOST_ATTEMPTS = 20

/**
 * Adds what parts bring to records that are stored. Each document is read, and changed only where its attributes still are what was read:
 * several nodes may add to one record at the same time, and none of them takes back what another one added.
 */
export class MongoPositionParts {
  constructor(private readonly positions: mongo.Collection<PositionDocument>) {}

  /** @returns indexes of those that would make their records too large */
  async add(parts: readonly StoredPart[]): Promise<ReadonlySet<number>> {
    const tooLarge = new Set<number>()
    for await (const refused of mapInOrder(statementsOf(parts), STATEMENTS_AT_ONCE, (some) => this.addAll(some)))
      for (const index of refused) tooLarge.add(index)
    return tooLarge
  }

  private async addAll(records: readonly Parts[]): Promise<readonly number[]> {
    for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
      const { updates, refused } = await this.plan(records)
      if (updates.length === 0 || (await this.update(updates, attempt))) return refused
    }
    throw mongoUnavailable('positions: parts of one record come too fast')
  }

  /** What is to be written now: nothing for records that have it all, or that were removed meanwhile. */
  private async plan(records: readonly Parts[]) {
    const stored = await this.positions
      .find({ _id: { $in: records.map(([id]) => id) } }, { projection: { at: 1 }, batchSize: records.length + 1 })
      .toArray()
    const documents = new Map(stored.map((document) => [document._id, document]))
    const updates: mongo.AnyBulkWriteOperation<PositionDocument>[] = []
    const refused: number[] = []
    for (const [_id, parts] of records) {
      const document = documents.get(_id)
      if (document === undefined) continue
      const { at } = document
      const gathered = new GatheredAttributes(at === undefined ? null : (JSON.parse(at) as Attributes))
      for (const { index, attributes } of parts) if (!gathered.add(attributes)) refused.push(index)
      if (!gathered.isGrown) continue
      const filter = at === undefined ? { _id, at: { $exists: false } } : { _id, at }
      updates.push({ updateOne: { filter, update: { $set: { at: JSON.stringify(gathered.toAttributes()) } } } })
    }
    return { updates, refused }
  }

  /** @returns whether all of them were written; what another node changed, or met, is among those that were not */
  private async update(updates: mongo.AnyBulkWriteOperation<PositionDocument>[], attempt: number): Promise<boolean> {
    try {
      const { matchedCount } = await retryDeadlocks(() => this.positions.bulkWrite(updates, { ordered: false }))
      return matchedCount === updates.length
    } catch (error) {
      if (!writeFaultsOf(error)?.every(({ code }) => code === DEADLOCK)) throw error
      await pauseAfterDeadlock(attempt)
      return false
    }
  }
}

/** The records in the order of their ids, so that two nodes never wait for each other crosswise. */
function statementsOf(parts: readonly StoredPart[]): Parts[][] {
  const records = new Map<string, StoredPart[]>()
  for (const part of parts) {
    const others = records.get(part.id)
    if (others === undefined) records.set(part.id, [part])
    else others.push(part)
  }
  const inOrder = [...records].sort(([a], [b]) => compareIds(a, b))
  const statements: Parts[][] = []
  for (let start = 0; start < inOrder.length; start += RECORDS_PER_STATEMENT)
    statements.push(inOrder.slice(start, start + RECORDS_PER_STATEMENT))
  return statements
}

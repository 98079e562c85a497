import type { mongo } from 'mongoose'
import { mapInOrder } from '../copy/map-in-order.js'
import { codeOf } from '../mongo-errors.js'
import type { PositionDocument } from './mongo-position-document.js'

/** Identities after `after` or from `from` on, and before `before`; without an end when that is absent. */
export type IdRange = { readonly before?: string } & (
  | { readonly after: string; readonly from?: undefined }
  | { readonly from: string; readonly after?: undefined }
)

/** Statements under way at one time, of 20 connections: others need some too. */
const STATEMENTS_AT_ONCE = 12
const NO_SUCH_STAGE = 40324

/**
 * Looks into many ranges of `_id` with few statements, each of which asks the index once for each of its ranges. (One condition that is
 * any of 100 ranges is the same to MongoDB, but FerretDB then reads the whole collection: 7 s of 100,000 positions.)
 */
export class MongoRangeProbe {
  private knowsUnion = true

  /** @param rangesAtOnce of one statement */
  constructor(
    private readonly positions: mongo.Collection<PositionDocument>,
    private readonly rangesAtOnce: number,
  ) {}

  /** So many are looked into in the time of one statement. */
  get rangesPerRound(): number {
    return this.rangesAtOnce * STATEMENTS_AT_ONCE
  }

  /** The last fix in each of the ranges that has one. */
  findLastFixes(ranges: readonly IdRange[]): Promise<PositionDocument[]> {
    const isFix = { f: { $ne: false } } as const
    return this.probe(ranges, (range) => [
      { $match: { _id: filterOf(range), ...isFix } },
      { $sort: { _id: -1 } },
      { $limit: 1 },
      { $project: { la: 1, lo: 1 } },
    ])
  }

  /** The identity of any one position in each of the ranges that has one. */
  async findAny(ranges: readonly IdRange[]): Promise<string[]> {
    const found = await this.probe(ranges, (range) => [
      { $match: { _id: filterOf(range) } },
      { $limit: 1 },
      { $project: { _id: 1 } },
    ])
    return found.map(({ _id }) => _id)
  }

  private async probe(ranges: readonly IdRange[], stagesOf: (range: IdRange) => mongo.Document[]) {
    const statements: IdRange[][] = []
    for (let start = 0; start < ranges.length; start += this.rangesAtOnce)
      statements.push(ranges.slice(start, start + this.rangesAtOnce))
    const found: PositionDocument[] = []
    const ask = (some: IdRange[]) => this.union(some.map(stagesOf))
    for await (const documents of mapInOrder(statements, STATEMENTS_AT_ONCE, ask)) found.push(...documents)
    return found
  }

  private async union(branches: readonly mongo.Document[][]): Promise<PositionDocument[]> {
    const [first = [], ...others] = branches
    const coll = this.positions.collectionName
    if (this.knowsUnion || others.length === 0) {
      try {
        const stages = [...first, ...others.map((pipeline) => ({ $unionWith: { coll, pipeline } }))]
        return await this.aggregate(stages, branches.length)
      } catch (error) {
        if (codeOf(error) !== NO_SUCH_STAGE || others.length === 0) throw error
        this.knowsUnion = false
      }
    }
    const found: PositionDocument[] = []
    for (const stages of branches) found.push(...(await this.aggregate(stages, 1)))
    return found
  }

  private aggregate(stages: mongo.Document[], most: number): Promise<PositionDocument[]> {
    return this.positions.aggregate<PositionDocument>(stages, { batchSize: most + 1 }).toArray()
  }
}

function filterOf({ after, from, before }: IdRange) {
  const start = after === undefined ? { $gte: from } : { $gt: after }
  return before === undefined ? start : { ...start, $lt: before }
}

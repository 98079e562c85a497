import type { SqliteConnection, SqliteQuery, SqliteValue, SqliteWrite } from '../sqlite-connection.js'
import {
  BATCH_COLUMN,
  BATCH_WIDTH,
  IS_LATEST,
  IS_NEW,
  IS_TOO_LARGE,
  type PositionBatch,
  splitTexts,
} from './position-batch.js'
import type { DeviceState, SqliteDeviceStates } from './sqlite-device-states.js'
import { SqlitePositionParts, type StoredRecord } from './sqlite-position-parts.js'

/** More rows in a statement were not faster, fewer were slower. */
const ROWS_PER_STATEMENT = 50
const LATEST_WIDTH = 5

/** A batch, the states of its devices, and its rows in the order of their keys. */
interface Work {
  readonly batch: PositionBatch
  readonly attributes: readonly string[]
  readonly states: readonly DeviceState[]
  readonly ordered: Uint32Array
  readonly flags: Uint8Array<ArrayBuffer>
}

/** Stores batches, each in one transaction, and says exactly which rows were new. */
export class SqlitePositionAppender {
  private readonly findByKey: SqliteQuery
  private readonly inserts: (rows: number) => SqliteWrite
  private readonly replaces: (rows: number) => SqliteWrite
  private readonly parts: SqlitePositionParts

  constructor(
    private readonly connection: SqliteConnection,
    private readonly deviceStates: SqliteDeviceStates,
  ) {
    this.findByKey = connection.prepareQuery('SELECT 1 FROM positions WHERE device = ? AND time = ? AND disc = ?')
    this.inserts = multiRow(connection, 'INSERT INTO positions VALUES', BATCH_WIDTH)
    this.replaces = multiRow(connection, 'REPLACE INTO latest VALUES', LATEST_WIDTH)
    this.parts = new SqlitePositionParts(connection)
  }

  append(batch: PositionBatch): Uint8Array {
    try {
      return this.connection.transact(() => {
        this.deviceStates.forgetIfOthersWrote()
        const states = splitTexts(batch.devices).map((id) => this.deviceStates.get(id))
        const flags = new Uint8Array(batch.numbers.length / BATCH_WIDTH)
        const attributes = splitTexts(batch.attributes)
        const work: Work = { batch, attributes, states, ordered: orderByKey(batch, states), flags }
        const added = this.findNew(work)
        this.insert(work, added)
        this.addParts(work)
        this.moveLatest(work, added)
        return flags
      })
    } catch (error) {
      this.deviceStates.forgetAll()
      throw error
    }
  }

  /**
   * Rows to insert. One later than all that its device has is new without a look; only late ones are looked up. (To insert
   * or ignore everything under savepoints and count cost a tenth of the rate more.)
   */
  private findNew({ batch: { numbers }, states, ordered, flags }: Work): number[] {
    const added: number[] = []
    let previous: number | undefined
    for (const row of ordered) {
      const time = at(numbers, row, BATCH_COLUMN.time)
      const discriminator = at(numbers, row, BATCH_COLUMN.discriminator)
      const state = stateOf(states, numbers, row)
      const isRepeat = previous !== undefined && hasSameKey(numbers, previous, row)
      previous = row
      if (isRepeat) continue
      if (isAfter(time, discriminator, state.lastTimeMs, state.lastDiscriminator)) {
        state.lastTimeMs = time
        state.lastDiscriminator = discriminator
      } else if (this.findByKey.get([state.n, time, discriminator])) continue
      flags[row] = IS_NEW
      added.push(row)
    }
    return added
  }

  private insert({ batch: { numbers }, attributes, states }: Work, added: readonly number[]): void {
    for (let start = 0; start < added.length; start += ROWS_PER_STATEMENT) {
      const rows = added.slice(start, start + ROWS_PER_STATEMENT)
      const values: SqliteValue[] = []
      for (const row of rows) {
        values.push(stateOf(states, numbers, row).n)
        for (let column = BATCH_COLUMN.time; column < BATCH_COLUMN.attributes; column++) {
          values.push(at(numbers, row, column)) // NaN is bound as null
        }
        values.push(attributes[at(numbers, row, BATCH_COLUMN.attributes)] ?? null)
      }
      this.inserts(rows.length).run(values)
    }
  }

  /** Adds what parts of records bring that were stored before, or a moment ago in this batch. */
  private addParts({ batch: { numbers, parts = [] }, attributes, states, flags }: Work): void {
    const records = new Map<string, { readonly key: StoredRecord['key']; readonly rows: number[] }>()
    for (const row of parts) {
      if (flags[row] === IS_NEW) continue
      const [time, discriminator] = [at(numbers, row, BATCH_COLUMN.time), at(numbers, row, BATCH_COLUMN.discriminator)]
      const key = [stateOf(states, numbers, row).n, time, discriminator] as const
      const record = records.get(key.join())
      if (record === undefined) records.set(key.join(), { key, rows: [row] })
      else record.rows.push(row)
    }
    for (const { key, rows } of records.values()) {
      const texts = rows.map((row) => attributes[at(numbers, row, BATCH_COLUMN.attributes)])
      const taken = this.parts.add({ key, parts: texts })
      for (const [i, row] of rows.entries()) if (!taken[i]) flags[row] = IS_TOO_LARGE
    }
  }

  /** Moves the latest fix of each device at most once, however many of its rows are in the batch. */
  private moveLatest({ batch: { numbers }, states, flags }: Work, added: readonly number[]): void {
    const latest = new Map<DeviceState, number>()
    for (const row of added) {
      if (at(numbers, row, BATCH_COLUMN.hasFix) !== 1) continue
      const state = stateOf(states, numbers, row)
      const time = at(numbers, row, BATCH_COLUMN.time)
      const discriminator = at(numbers, row, BATCH_COLUMN.discriminator)
      if (!isAfter(time, discriminator, state.fixTimeMs, state.fixDiscriminator)) continue
      state.fixTimeMs = time
      state.fixDiscriminator = discriminator
      latest.set(state, row)
    }
    const moved = [...latest]
    for (let start = 0; start < moved.length; start += ROWS_PER_STATEMENT) {
      const some = moved.slice(start, start + ROWS_PER_STATEMENT)
      const values: number[] = []
      for (const [state, row] of some) {
        flags[row] = IS_NEW | IS_LATEST
        const latitude = at(numbers, row, BATCH_COLUMN.latitude)
        values.push(
          state.n,
          state.fixTimeMs,
          state.fixDiscriminator,
          latitude,
          at(numbers, row, BATCH_COLUMN.longitude),
        )
      }
      this.replaces(some.length).run(values)
    }
  }
}

/** One prepared statement for each number of rows, made when first needed. */
function multiRow(connection: SqliteConnection, sql: string, width: number): (rows: number) => SqliteWrite {
  const placeholders = `(${Array(width).fill('?').join(',')})`
  const prepared: SqliteWrite[] = []
  return (rows) => {
    const known = prepared[rows]
    if (known) return known
    const statement = connection.prepareWrite(`${sql} ${Array(rows).fill(placeholders).join(',')}`)
    prepared[rows] = statement
    return statement
  }
}

/** Row indexes by device, time, discriminator and place in the batch: the tree is walked once from left to right. */
function orderByKey({ numbers }: PositionBatch, states: readonly DeviceState[]): Uint32Array {
  const ordered = Uint32Array.from({ length: numbers.length / BATCH_WIDTH }, (_, row) => row)
  const device = (row: number) => stateOf(states, numbers, row).n
  const compare = (a: number, b: number, column: number) => at(numbers, a, column) - at(numbers, b, column)
  return ordered.sort(
    (a, b) =>
      device(a) - device(b) || compare(a, b, BATCH_COLUMN.time) || compare(a, b, BATCH_COLUMN.discriminator) || a - b,
  )
}

function at(numbers: Float64Array, row: number, column: number): number {
  return numbers[row * BATCH_WIDTH + column] ?? Number.NaN
}

function stateOf(states: readonly DeviceState[], numbers: Float64Array, row: number): DeviceState {
  const state = states[at(numbers, row, BATCH_COLUMN.device)]
  if (!state) throw new RangeError('a row of the batch names no device of it')
  return state
}

function isAfter(timeMs: number, discriminator: number, thanTimeMs: number, thanDiscriminator: number): boolean {
  return timeMs > thanTimeMs || (timeMs === thanTimeMs && discriminator > thanDiscriminator)
}

function hasSameKey(numbers: Float64Array, row: number, other: number): boolean {
  return (
    at(numbers, row, BATCH_COLUMN.device) === at(numbers, other, BATCH_COLUMN.device) &&
    at(numbers, row, BATCH_COLUMN.time) === at(numbers, other, BATCH_COLUMN.time) &&
    at(numbers, row, BATCH_COLUMN.discriminator) === at(numbers, other, BATCH_COLUMN.discriminator)
  )
}

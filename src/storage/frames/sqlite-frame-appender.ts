import type { SqliteConnection, SqliteValue, SqliteWrite } from '../sqlite-connection.js'
import { FRAME_COLUMN, FRAME_WIDTH, type FrameBatch } from './frame-batch.js'
import type { SqliteFrameLinks } from './sqlite-frame-links.js'

const ROWS_PER_STATEMENT = 50
const ROW_WIDTH = 5

/** Keeps batches, each in one transaction. */
export class SqliteFrameAppender {
  private readonly findLastId
  private readonly inserts: SqliteWrite[] = []

  constructor(
    private readonly connection: SqliteConnection,
    private readonly links: SqliteFrameLinks,
  ) {
    this.findLastId = connection.prepareQuery('SELECT max(id) FROM frames')
  }

  keep(batch: FrameBatch): void {
    try {
      this.connection.transact(() => {
        this.links.forgetIfOthersWrote()
        this.insert(batch)
      })
    } catch (error) {
      this.links.forgetAll()
      throw error
    }
  }

  private insert({ devices, links, numbers, bytes }: FrameBatch): void {
    let arrival = Math.floor(Number(this.findLastId.get()?.[0] ?? 0) / 2)
    let values: SqliteValue[] = []
    let start = 0
    for (let at = 0; at < numbers.length; at += FRAME_WIDTH) {
      const value = (column: number) => numbers[at + column] ?? Number.NaN
      const [deviceId, link] = [devices[value(FRAME_COLUMN.device)], links[value(FRAME_COLUMN.link)]]
      if (deviceId === undefined || !link) throw new RangeError('a frame of the batch names nothing of it')
      const time = value(FRAME_COLUMN.time)
      const [device, linkNumber] = this.links.find(deviceId, time, link)
      const end = value(FRAME_COLUMN.end)
      values.push(++arrival * 2 + value(FRAME_COLUMN.isOut), device, time, linkNumber, bytes.subarray(start, end))
      start = end
      if (values.length < ROWS_PER_STATEMENT * ROW_WIDTH) continue
      this.insertOf(ROWS_PER_STATEMENT).run(values)
      values = []
    }
    if (values.length > 0) this.insertOf(values.length / ROW_WIDTH).run(values)
  }

  /** One prepared statement for each number of rows, made when first needed. */
  private insertOf(rows: number): SqliteWrite {
    const known = this.inserts[rows]
    if (known) return known
    const placeholders = Array(rows).fill(`(${Array(ROW_WIDTH).fill('?').join(',')})`)
    const statement = this.connection.prepareWrite(
      `INSERT INTO frames(id, device, time, link, bytes) VALUES ${placeholders.join(',')}`,
    )
    this.inserts[rows] = statement
    return statement
  }
}

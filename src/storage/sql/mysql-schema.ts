import { createHash } from 'node:crypto'
import { MigrationExecutor, QueryFailedError } from 'typeorm'
import { StoreOpenError } from '../store-open-error.js'
import { MysqlDataSource, type MysqlOptions } from './mysql-data-source.js'
import { plainReason } from './mysql-errors.js'
import { PATIENT_LIMITS } from './mysql-limits.js'
import { parseMysqlUrl } from './mysql-url.js'
import type { PooledQueryRunner } from './pooled-query-runner.js'
import { readSteps, refuseNewerSchema, type SchemaStatus, type SqlSchema, type UnfinishedStep } from './sql-schema.js'

const LOCK_WAIT_S = 60
const MARKER = 'schema_step'

/**
 * The schema of a database on a server. All is done on one connection, under a lock that the server gives to one node at a time and that
 * ends with the connection. The server commits each change of a table by itself, so a step that dies half-way stays half-way: it is
 * written down before it begins and struck out after it ended.
 */
export class MysqlSchema implements SqlSchema {
  private isLocked = false

  private constructor(
    private readonly dataSource: MysqlDataSource,
    private readonly runner: PooledQueryRunner,
    private readonly shown: string,
    private readonly database: string,
    private readonly lockWaitS: number,
  ) {}

  /**
   * Connects; the lock is waited for before anything is changed.
   * @throws StoreOpenError
   */
  static async open(options: MysqlOptions, lockWaitS = LOCK_WAIT_S): Promise<MysqlSchema> {
    const { shown, database } = parseMysqlUrl(options.url)
    const dataSource = new MysqlDataSource({ ...options, poolSize: 2 }, PATIENT_LIMITS)
    try {
      await dataSource.initialize()
      const runner = dataSource.createQueryRunner() as PooledQueryRunner
      return new MysqlSchema(dataSource, runner, shown, database, lockWaitS)
    } catch (cause) {
      if (dataSource.isInitialized) await dataSource.destroy()
      throw cause instanceof StoreOpenError ? cause : new StoreOpenError(shown, plainReason(cause), { cause })
    }
  }

  async readStatus(): Promise<SchemaStatus> {
    return this.telling(async () => ({ ...(await readSteps(this.runner)), unfinished: await this.findUnfinished() }))
  }

  up(): Promise<string[]> {
    return this.telling(() => this.takeAll())
  }

  down(steps: number): Promise<string[]> {
    return this.telling(() => this.takeBack(steps))
  }

  settle(outcome: 'done' | 'undone'): Promise<string> {
    return this.telling(() => this.settleUnfinished(outcome))
  }

  async close(): Promise<void> {
    await this.runner.release()
    await this.dataSource.destroy()
  }

  private async takeAll(): Promise<string[]> {
    await this.refuseUnsafe()
    const executor = this.executor()
    // Makes the table of what was taken, so that a step changes nothing but its own.
    await executor.showMigrations()
    const taken: string[] = []
    for (const migration of await executor.getPendingMigrations()) {
      await this.takeStep(migration.name, 'up', () => executor.executeMigration(migration))
      taken.push(migration.name)
    }
    return taken
  }

  private async takeBack(steps: number): Promise<string[]> {
    await this.refuseUnsafe()
    const back: string[] = []
    while (back.length < steps) {
      const last = (await readSteps(this.runner)).done.at(-1)
      if (last === undefined) return back
      await this.takeStep(last, 'down', () => this.executor().undoLastMigration())
      back.push(last)
    }
    return back
  }

  private async settleUnfinished(outcome: 'done' | 'undone'): Promise<string> {
    await this.lock()
    const unfinished = await this.findUnfinished()
    if (!unfinished) throw new StoreOpenError(this.shown, 'no step of its schema is unfinished')
    const { name } = unfinished
    const timestamp = Number(name.slice(-13))
    await this.runner.query('DELETE FROM migrations WHERE name = ?', [name])
    if (outcome === 'done') {
      await this.runner.query('INSERT INTO migrations (timestamp, name) VALUES (?, ?)', [timestamp, name])
    }
    await this.strikeOut()
    return name
  }

  private async lock(): Promise<void> {
    if (this.isLocked) return
    // Names of locks are short, and of the whole server.
    const name = `milepost-schema-${createHash('sha256').update(this.database).digest('hex').slice(0, 32)}`
    const question = 'SELECT GET_LOCK(?, ?) AS held'
    const [row] = (await this.runner.query(question, [name, this.lockWaitS])) as { held: number | null }[]
    if (row?.held !== 1) {
      throw new StoreOpenError(
        this.shown,
        `another node has been changing its schema for more than ${this.lockWaitS} s`,
      )
    }
    this.isLocked = true
  }

  /** In one line what went wrong, whatever it was. */
  private async telling<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act()
    } catch (cause) {
      throw cause instanceof StoreOpenError ? cause : new StoreOpenError(this.shown, plainReason(cause), { cause })
    }
  }

  private async refuseUnsafe(): Promise<void> {
    await this.lock()
    await refuseNewerSchema(this.runner, this.shown)
    const unfinished = await this.findUnfinished()
    if (!unfinished) return this.strikeOut()
    const { name, direction, beganAt } = unfinished
    const when = beganAt.toISOString()
    throw new StoreOpenError(
      this.shown,
      `the schema change ${name} (${direction}) began at ${when} and did not end, so its tables are half-way: put the backup from before it back; or mend the tables by hand and run "npm run migrate -- --settle done" (or "undone")`,
    )
  }

  /** What was written down, but for a step that ended right before its program did. */
  private async findUnfinished(): Promise<UnfinishedStep | undefined> {
    if (!(await this.runner.hasTable(MARKER))) return undefined
    const rows = (await this.runner.query(`SELECT name, direction, began_at FROM ${MARKER}`)) as {
      readonly name: string
      readonly direction: 'up' | 'down'
      readonly began_at: Date
    }[]
    const [marked] = rows
    if (!marked) return undefined
    const isTaken = (await readSteps(this.runner)).done.includes(marked.name)
    if (isTaken === (marked.direction === 'up')) return undefined
    return { name: marked.name, direction: marked.direction, beganAt: marked.began_at }
  }

  private async takeStep(name: string, direction: 'up' | 'down', take: () => Promise<unknown>): Promise<void> {
    await this.runner.query(
      `CREATE TABLE IF NOT EXISTS ${MARKER} (id int NOT NULL PRIMARY KEY, name varchar(255) NOT NULL,
        direction varchar(8) NOT NULL, began_at datetime(3) NOT NULL) ENGINE=InnoDB CHARSET=utf8mb4`,
    )
    const values = [name, direction, new Date()]
    await this.runner.query(`INSERT INTO ${MARKER} (id, name, direction, began_at) VALUES (1, ?, ?, ?)`, values)
    const changesBefore = this.runner.changesDone
    try {
      await take()
    } catch (cause) {
      // What the server refused as the first thing has left nothing behind.
      const isUntouched = cause instanceof QueryFailedError && this.runner.changesDone === changesBefore
      if (isUntouched) await this.strikeOut()
      throw new StoreOpenError(this.shown, `the schema change ${name} (${direction}) failed: ${plainReason(cause)}`, {
        cause,
      })
    }
    await this.strikeOut()
  }

  private async strikeOut(): Promise<void> {
    if (await this.runner.hasTable(MARKER)) await this.runner.query(`DELETE FROM ${MARKER}`)
  }

  private executor(): MigrationExecutor {
    const executor = new MigrationExecutor(this.dataSource, this.runner)
    executor.transaction = 'none'
    return executor
  }
}

/**
 * Takes the steps that are left; of nodes that start together one does, and the others wait for it.
 * @throws StoreOpenError
 */
export async function bringUpToDate(options: MysqlOptions): Promise<void> {
  const schema = await MysqlSchema.open(options)
  try {
    await schema.up()
  } finally {
    await schema.close()
  }
}

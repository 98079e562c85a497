import { Command, InvalidArgumentError } from 'commander'
import { ConfigError } from '../config/app-config.js'
import { readConfig } from '../config/read-config.js'
import { DataDirectoryError, DataDirectoryLock, prepareDataDirectory } from '../storage/data-directory.js'
import { parseMysqlUrl } from '../storage/sql/mysql-url.js'
import { openSqlSchema } from '../storage/sql/open-sql-records.js'
import type { SqlSchema } from '../storage/sql/sql-schema.js'
import { StoreOpenError } from '../storage/store-open-error.js'

interface Options {
  readonly status?: boolean
  readonly down?: number | true
  readonly yes?: boolean
  readonly settle?: 'done' | 'undone'
}

/** EX_USAGE of sysexits.h. */
const USAGE_EXIT_CODE = 64

const command = new Command('npm run migrate --')
  .description(
    'Brings the schema of the relational database (SQL_URL, or SQLite under DATA_DIR) up to date, as every start does.\n' +
      'Stop the server before any other use of it.',
  )
  .option('--status', 'only tell which steps were taken and which are left')
  .option('--down [steps]', 'take the last steps back (1), with all that their tables hold', toCount)
  .option('--yes', 'with --down on a server: its tables are those of all nodes, and it is meant')
  .option(
    '--settle <outcome>',
    'after a step died half-way and you mended its tables by hand: done or undone',
    toOutcome,
  )
  .parse()

try {
  process.stdout.write(await run(command.opts<Options>()))
} catch (error) {
  const isExpected =
    error instanceof ConfigError || error instanceof StoreOpenError || error instanceof DataDirectoryError
  process.stderr.write(`migrate: ${isExpected ? error.message : String(error)}\n`)
  process.exitCode = isExpected ? error.exitCode : 1
}

async function run(options: Options): Promise<string> {
  const config = readConfig()
  if (options.down !== undefined && config.SQL_URL !== undefined && !options.yes) {
    const { shown } = parseMysqlUrl(config.SQL_URL)
    command.error(
      `migrate: --down removes tables of ${shown}, which all nodes use, with all that they hold: say --yes too`,
      { exitCode: USAGE_EXIT_CODE },
    )
  }
  const directory = prepareDataDirectory(config.DATA_DIR)
  // Of an embedded database nobody else may see the steps; a server's has a lock of its own.
  const isAlone = config.SQL_URL === undefined && !options.status
  const lock = isAlone ? DataDirectoryLock.acquire(directory) : undefined
  try {
    const schema = await openSqlSchema(config, directory)
    try {
      return await act(schema, options)
    } finally {
      await schema.close()
    }
  } finally {
    lock?.release()
  }
}

async function act(schema: SqlSchema, { status, down, settle }: Options): Promise<string> {
  if (status) return describeStatus(schema)
  if (settle) return `${await schema.settle(settle)} counts as ${settle}\n`
  if (down !== undefined) return listed('taken back', await schema.down(down === true ? 1 : down))
  return listed('taken', await schema.up())
}

async function describeStatus(schema: SqlSchema): Promise<string> {
  const { done, pending, unknown, unfinished } = await schema.readStatus()
  const lines = [
    ...done.map((name) => `done      ${name}`),
    ...unknown.map((name) => `newer     ${name} (of a newer version of Milepost)`),
    ...pending.map((name) => `${name === unfinished?.name ? 'half-way ' : 'left     '} ${name}`),
  ]
  if (unfinished)
    lines.push(
      `${unfinished.name} (${unfinished.direction}) began at ${unfinished.beganAt.toISOString()} and did not end`,
    )
  return `${lines.join('\n')}\n`
}

function listed(what: string, names: readonly string[]): string {
  if (names.length === 0) return `nothing to be ${what}\n`
  return names.map((name) => `${what}: ${name}\n`).join('')
}

function toCount(value: string): number {
  const count = Number(value)
  if (Number.isSafeInteger(count) && count > 0) return count
  throw new InvalidArgumentError('It is a number of steps.')
}

function toOutcome(value: string): string {
  if (value === 'done' || value === 'undone') return value
  throw new InvalidArgumentError('It is done or undone.')
}

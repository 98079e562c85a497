import path from 'node:path'
import { Logger } from '@nestjs/common'
import { Command } from 'commander'
import type { AppConfig } from '../config/app-config.js'
import { readConfig } from '../config/read-config.js'
import { isSame, type PartReport } from '../storage/copy/copy-part.js'
import {
  COPY_SIDES,
  COPY_STORES,
  type CopySide,
  type CopySideName,
  type CopyStoreName,
} from '../storage/copy/copy-side.js'
import { assertEmbeddedStores, EmbeddedSide } from '../storage/copy/embedded-side.js'
import { ServerSide } from '../storage/copy/server-side.js'
import { type PartLook, StoresCopy } from '../storage/copy/stores-copy.js'
import { DataDirectoryLock, prepareDataDirectory } from '../storage/data-directory.js'
import { CopyDisplay } from './copy-display.js'

const EXIT_DIFFERENT = 1
/** EX_UNAVAILABLE of sysexits.h. */
const EXIT_UNAVAILABLE = 69
const DIGEST_SHOWN = 16
/** The variable that names the server of each. */
const VARIABLES = { sql: 'SQL_URL', positions: 'MONGO_URL', objects: 'S3_BUCKET' } as const

interface Options {
  readonly from?: string
  readonly to?: string
  readonly only?: string
  readonly verify?: boolean
  readonly dryRun?: boolean
}

interface Request {
  readonly from: CopySideName
  readonly to: CopySideName
  readonly stores: readonly CopyStoreName[]
}

/** What was asked for, or the configuration, makes no sense. */
class Refusal extends Error {
  /** EX_CONFIG of sysexits.h. */
  readonly exitCode = 78
}

const command = new Command('npm run stores:copy --')
  .description(
    'Copies the stores whose servers SQL_URL, MONGO_URL and S3_BUCKET name from the one side to the other, and compares both. ' +
      'No server may run on either side. When it is ended before it is done, it goes on when it is begun again.',
  )
  .option('--from <side>', 'embedded or servers')
  .option('--to <side>', 'servers or embedded')
  .option('--only <stores>', `some of ${COPY_STORES.join(',')}`)
  .option('--dry-run', 'only tell how much there is on both sides')
  .option('--verify', 'only compare both sides')
  .parse()

Logger.overrideLogger(['error'])
const display = new CopyDisplay(process.stderr)
// A bar hides the cursor.
process.once('SIGINT', () => {
  display.end()
  process.kill(process.pid, 'SIGINT')
})
process.umask(0o077)
try {
  process.exitCode = await run(command.opts<Options>())
} catch (error) {
  display.end()
  const { code, lines } = explain(error)
  process.stderr.write(lines.map((line) => `stores:copy: ${line}\n`).join(''))
  process.exitCode = code
}

/** @returns the exit code */
async function run(options: Options): Promise<number> {
  const config = readConfig()
  const request = requestOf(options, config)
  const directory = path.resolve(config.DATA_DIR)
  if (request.from === 'embedded') assertEmbeddedStores(directory)
  const lock = DataDirectoryLock.acquire(prepareDataDirectory(directory))
  try {
    const copy = await open(request, config, directory)
    try {
      return await work(copy, request, options)
    } finally {
      await copy.close()
    }
  } finally {
    lock.release()
  }
}

function open({ from, to, stores }: Request, config: AppConfig, directory: string): Promise<StoresCopy> {
  const sideOn = (name: CopySideName): CopySide =>
    name === 'embedded' ? new EmbeddedSide(directory) : new ServerSide(config, directory)
  const nameInUse = config.SQL_URL === undefined ? 'embedded' : 'servers'
  // Tables on servers are those in use, or there is nothing that names them.
  const hasOwnSql = from === 'embedded' && nameInUse === 'servers'
  const plan = { source: sideOn(from), target: sideOn(to), inUse: sideOn(nameInUse), hasOwnSql, stores }
  return StoresCopy.open(plan, display)
}

async function work(copy: StoresCopy, request: Request, { verify, dryRun }: Options): Promise<number> {
  if (!verify) {
    for (const look of await copy.look()) tell(lineOfLook(look))
    for (const { table, rows } of copy.left.filter((left) => left.rows > 0))
      tell(`${table}: ${rows} rows stay; units begin these uploads again`)
    if (dryRun) {
      tell('nothing was copied')
      return 0
    }
    await copy.copy()
  }
  const reports = await copy.verify()
  for (const report of reports) for (const line of linesOfReport(report)) tell(line)
  const different = reports.filter((report) => !isSame(report)).map(({ name }) => name)
  if (different.length > 0) {
    tell(`not the same on both sides: ${different.join(', ')}. Do not use the target as it is`)
    return EXIT_DIFFERENT
  }
  tell(verify ? 'both sides are the same' : nextSteps(request))
  return 0
}

/** @throws Refusal */
function requestOf({ from, to, only }: Options, config: AppConfig): Request {
  const sides = { from: sideOf('--from', from), to: sideOf('--to', to) }
  if (sides.from === sides.to) throw new Refusal(`--from and --to are both ${sides.from}`)
  const named = COPY_STORES.filter((store) => config[VARIABLES[store]] !== undefined)
  if (named.length === 0) throw new Refusal('no server is named: set SQL_URL, MONGO_URL or S3_BUCKET')
  return { ...sides, stores: only === undefined ? named : storesOf(only, named) }
}

function sideOf(option: string, given: string | undefined): CopySideName {
  const side = COPY_SIDES.find((name) => name === given)
  if (side === undefined) throw new Refusal(`${option} must be ${COPY_SIDES.join(' or ')}`)
  return side
}

function storesOf(only: string, named: readonly CopyStoreName[]): CopyStoreName[] {
  return only.split(',').map((name) => {
    const store = COPY_STORES.find((one) => one === name.trim())
    if (store === undefined) throw new Refusal(`--only must be some of ${COPY_STORES.join(',')}`)
    if (!named.includes(store)) throw new Refusal(`--only ${store}: ${VARIABLES[store]} is not set`)
    return store
  })
}

function lineOfLook({ name, unit, total, present }: PartLook): string {
  return `${name}: ${total} ${unit}, ${present} of them in the target`
}

function linesOfReport(report: PartReport): string[] {
  const { name, unit, source, target, differences, differenceCount, warnings } = report
  const side = ({ count, sha256 }: PartReport['source']) => `${count} ${unit}, sha256 ${sha256.slice(0, DIGEST_SHOWN)}`
  const more = differenceCount - differences.length
  const lines = [...differences.map((words) => `DIFFERENT ${words}`), ...warnings.map((words) => `note: ${words}`)]
  if (more > 0) lines.push(`DIFFERENT ${name}: ${more} more`)
  if (isSame(report)) return [`${name}: ${side(source)}, the same on both sides`, ...lines]
  return [`${name}: ${side(source)} in the source; ${side(target)} in the target`, ...lines]
}

function nextSteps({ to, stores }: Request): string {
  const variables = stores.map((store) => VARIABLES[store]).join(', ')
  if (to === 'embedded')
    return `copied and the same on both sides. Start Milepost without ${variables}; the servers keep what they have`
  return `copied and the same on both sides. Start Milepost with ${variables} set as now, and with the same DATA_DIR:
its keys stay in use, so that tokens go on being valid. What was copied is still in it: a backup as of now, to be removed
when you trust the servers (docs/operations.md, "Moving in")`
}

function tell(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** Errors that a person can mend carry their exit code; stores say by a code why they failed; anything else is a defect. */
function explain(error: unknown): { readonly code: number; readonly lines: string[] } {
  const { exitCode, code, message, stack } = error as Error & { readonly exitCode?: unknown; readonly code?: unknown }
  if (typeof exitCode === 'number') return { code: exitCode, lines: [message] }
  if (typeof code !== 'string' && typeof code !== 'number') return { code: 1, lines: [stack ?? String(error)] }
  const again = 'it was ended before it was done; mend that and begin it again: it goes on where it stopped'
  return { code: EXIT_UNAVAILABLE, lines: [message, again] }
}

import 'reflect-metadata'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type DynamicModule, type INestApplicationContext, Logger, Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { Command } from 'commander'
import { AppConfig } from '../config/app-config.js'
import { ConfigModule } from '../config/config.module.js'
import { readConfig } from '../config/read-config.js'
import { Metrics } from '../metrics/metrics.js'
import { MetricsModule } from '../metrics/metrics.module.js'
import { AppError } from '../model/app-error.js'
import { formatTime, parseTime } from '../model/time.js'
import { FramesReplay, type ReplayRange, type ReplaySummary } from '../operations/frames-replay.js'
import { dryReplay, storingReplay } from '../pipeline/replay-recipe.js'
import { DiskGuard } from '../storage/disk-guard.js'
import { DiskGuardModule } from '../storage/disk-guard.module.js'
import { RawFrameStore } from '../storage/frames/raw-frame-store.js'
import { PositionStore } from '../storage/positions/position-store.js'
import { AlarmRecords } from '../storage/sql/alarm-records.js'
import { DeviceRecords } from '../storage/sql/device-records.js'
import { StorageModule } from '../storage/storage.module.js'
import { StoreOpenError } from '../storage/store-open-error.js'

/** EX_USAGE, EX_NOUSER and EX_UNAVAILABLE of sysexits.h; what shells say of an interrupted command. */
const EXIT = { usage: 64, noDevice: 67, unavailable: 69, interrupted: 130 } as const
const TELL_EVERY_MS = 5000

interface Options {
  readonly device?: string
  readonly from?: string
  readonly to?: string
  readonly dryRun?: boolean
}

/** A reason to stop that the person at the keyboard can mend. */
class Refusal extends Error {
  constructor(
    message: string,
    readonly exitCode: number,
  ) {
    super(message)
  }
}

/** The stores, and nothing that serves anybody. */
@Module({})
class ReplayModule {
  static of(config: AppConfig): DynamicModule {
    return {
      module: ReplayModule,
      imports: [ConfigModule.of(config), MetricsModule, DiskGuardModule, StorageModule],
    }
  }
}

const command = new Command('npm run frames:replay --')
  .description(
    'Reads what a tracker said from the raw archive and puts it through the codecs of this version: records and alarms that an older one ' +
      'could not read are stored, what is there stays as it is. Nothing is answered. With embedded stores the server must be stopped.',
  )
  .option('--device <id>', 'whose frames')
  .option('--from <time>', 'of the first frame, such as 2026-11-22T00:00:00Z')
  .option('--to <time>', 'before this moment')
  .option('--dry-run', 'only tell what would become of it')
  .parse()

process.umask(0o077)
const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())
try {
  process.exitCode = await run(command.opts<Options>())
} catch (error) {
  const { exitCode, message, stack } = error as Error & { readonly exitCode?: unknown }
  const isExpected = typeof exitCode === 'number'
  process.stderr.write(`frames:replay: ${isExpected ? message : (stack ?? String(error))}\n`)
  if (error instanceof StoreOpenError && isServerThere(error))
    process.stderr.write(
      'frames:replay: stop it, replay, and start it again; embedded stores have one user at a time\n',
    )
  process.exitCode = isExpected ? exitCode : 1
}

/** @returns the exit code */
async function run(options: Options): Promise<number> {
  const range = rangeOf(options)
  const config = readConfig()
  const directory = isOnServers(config) ? mkdtempSync(path.join(tmpdir(), 'milepost-replay-')) : undefined
  try {
    const context = await open(directory === undefined ? config : besideServer(config, directory))
    try {
      return await replay(context, range, options.dryRun === true)
    } finally {
      await context.close()
    }
  } finally {
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
  }
}

/** Quietly: what goes wrong is told in one line, without Nest's own. */
async function open(config: AppConfig): Promise<INestApplicationContext> {
  const context = await NestFactory.createApplicationContext(ReplayModule.of(config), {
    abortOnError: false,
    logger: false,
  })
  Logger.overrideLogger(['error'])
  return context
}

/** Nothing that a replay uses is on this machine: a server may go on using its data directory. */
function isOnServers({ SQL_URL, MONGO_URL }: AppConfig): boolean {
  return SQL_URL !== undefined && MONGO_URL !== undefined
}

function besideServer(config: AppConfig, directory: string): AppConfig {
  return { ...config, DATA_DIR: directory, DISK_MIN_FREE: 0 }
}

async function replay(context: INestApplicationContext, range: ReplayRange, isDry: boolean): Promise<number> {
  if ((await context.get(DeviceRecords).find(range.deviceId)) === undefined)
    throw new Refusal(`there is no device ${range.deviceId}`, EXIT.noDevice)
  const stores = {
    positions: context.get(PositionStore),
    alarms: context.get(AlarmRecords),
    disk: context.get(DiskGuard),
    metrics: context.get(Metrics),
    config: context.get(AppConfig),
  }
  const work = new FramesReplay(context.get(RawFrameStore), isDry ? dryReplay(stores) : storingReplay(stores))
  try {
    await work.run(range, stopping.signal, teller(work.summary))
  } catch (error) {
    tell(work.summary, isDry)
    if (!(error instanceof AppError)) throw error
    const cause = error.cause instanceof Error ? ` (${error.cause.message})` : ''
    throw new Refusal(`${error.message}${cause}. ${goOn(range, work.summary)}`, EXIT.unavailable)
  }
  tell(work.summary, isDry)
  if (!stopping.signal.aborted) return 0
  process.stderr.write(`frames:replay: ended before it was done. ${goOn(range, work.summary)}\n`)
  return EXIT.interrupted
}

/** @throws Refusal */
function rangeOf({ device, from, to }: Options): ReplayRange {
  if (device === undefined) throw new Refusal('--device is missing: say whose frames', EXIT.usage)
  const fromMs = momentOf('--from', from)
  const toMs = momentOf('--to', to)
  if (fromMs !== undefined && toMs !== undefined && fromMs > toMs) throw new Refusal('--from is after --to', EXIT.usage)
  return { deviceId: device, ...(fromMs !== undefined && { fromMs }), ...(toMs !== undefined && { toMs }) }
}

function momentOf(option: string, given: string | undefined): number | undefined {
  if (given === undefined) return undefined
  const moment = parseTime(given)
  if (moment === undefined)
    throw new Refusal(`${option} must be a time with an offset, such as 2026-11-22T00:00:00Z`, EXIT.usage)
  return moment
}

function goOn({ deviceId, fromMs, toMs }: ReplayRange, { doneMs = fromMs }: ReplaySummary): string {
  const from = doneMs === undefined ? '' : ` --from ${formatTime(doneMs)}`
  const to = toMs === undefined ? '' : ` --to ${formatTime(toMs)}`
  return `Go on with: npm run frames:replay -- --device ${deviceId}${from}${to}`
}

/** Says now and then how far it got. */
function teller(summary: ReplaySummary): () => void {
  let toldAtMs = Date.now()
  return () => {
    if (Date.now() - toldAtMs < TELL_EVERY_MS) return
    toldAtMs = Date.now()
    const { frames, newRecords, doneMs = 0 } = summary
    process.stderr.write(`${frames} frames, up to ${formatTime(doneMs)}, ${newRecords} new records\n`)
  }
}

function tell(summary: ReplaySummary, isDry: boolean): void {
  const { frames, newRecords, knownRecords, newAlarms, knownAlarms, refused, unreadable, otherDevices, otherFrames } =
    summary
  const lines = [
    `frames: ${frames}`,
    `records: ${newRecords} ${isDry ? 'would be new' : 'new'}, ${knownRecords} already there`,
    isDry
      ? `alarms: ${newAlarms} told, without those of conditions that begin`
      : `alarms: ${newAlarms} new, ${knownAlarms} already there`,
    `records refused: ${countsOf(refused)}`,
    `unreadable: ${countsOf(unreadable)}`,
  ]
  if (otherDevices > 0) lines.push(`left out: ${otherDevices} messages that name another device`)
  if (otherFrames > 0) lines.push(`left out: ${otherFrames} frames of sockets`)
  process.stdout.write(`${lines.join('\n')}\n`)
}

function countsOf(counts: ReadonlyMap<string, number>): string {
  if (counts.size === 0) return '0'
  const sum = [...counts.values()].reduce((total, one) => total + one, 0)
  return `${sum} (${[...counts].map(([code, one]) => `${code} ${one}`).join(', ')})`
}

function isServerThere({ reason }: StoreOpenError): boolean {
  return reason.startsWith('another server')
}

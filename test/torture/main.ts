import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Argument, Command, InvalidArgumentError, Option } from 'commander'
import { removeStores } from '../stores/test-servers.js'
import { tortureAlarmsByKills } from './alarm-torture.js'
import { tortureCommands } from './command-torture.js'
import { tortureByKills } from './kill-torture.js'
import { tortureTrackersByKills } from './tracker-torture.js'
import { tortureTus } from './tus-torture.js'
import { tortureUploads } from './upload-torture.js'

const count = (text: string) => {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('must be a whole number, 1 or more')
  return Number(text)
}

const NAMES = ['positions', 'trackers', 'alarms', 'commands', 'tus', 'uploads'] as const
type Name = (typeof NAMES)[number]

const command = new Command('torture')
  .description(
    'Kills the server at random moments under load and looks for acknowledged records that are gone or doubled; then the same for trackers of all brands, for alarms, for commands to units whose links are cut, and for uploads',
  )
  .addArgument(new Argument('[parts...]', 'only these').choices(NAMES))
  .option('--kills <n>', 'how often under positions', count, 100)
  .option('--units <n>', 'units that send meanwhile', count, 40)
  .option('--tracker-kills <n>', 'how often under trackers', count, 50)
  .option('--alarm-kills <n>', 'how often under alarms', count, 20)
  .option('--command-disconnects <n>', 'how often the links of units that get commands are cut', count, 1000)
  .option('--command-kills <n>', 'how often the server is killed meanwhile', count, 20)
  .option('--tus-cuts <n>', 'how often the connections of resumable uploads are cut', count, 100)
  .option(
    '--tus-kills <n>',
    'how often the server is killed meanwhile, and again under uploads in one request',
    count,
    20,
  )
  .addOption(
    new Option(
      '--stores <which>',
      'embedded, or servers: those of SQL_URL, MONGO_URL, S3_ENDPOINT and its key, on databases and buckets of its own',
    )
      .choices(['embedded', 'servers'])
      .default('embedded'),
  )
  .option('--seed <n>', 'makes the moments of a run repeat', count, Date.now() % 1_000_000)
  .parse()
const options = command.opts<{
  kills: number
  units: number
  seed: number
  trackerKills: number
  alarmKills: number
  commandDisconnects: number
  commandKills: number
  tusCuts: number
  tusKills: number
  stores: 'embedded' | 'servers'
}>()
if (options.stores === 'servers') {
  const missing = ['SQL_URL', 'MONGO_URL', 'S3_ENDPOINT'].filter((name) => process.env[name] === undefined)
  if (missing.length > 0) command.error(`--stores servers: ${missing.join(', ')} must be set`)
}
// The servers that are killed find their stores by it.
process.env.TEST_STORES = options.stores

type Result = Readonly<Record<string, unknown>>

/** One kind of torture in a data directory of its own; of its result the named figures must be 0. */
interface Part {
  readonly run: (dataDirectory: string) => Promise<Result>
  readonly faults: readonly string[]
}

const { seed, units } = options
const say = (line: string) => process.stdout.write(`${line}\n`)

const PARTS: Readonly<Record<Name, Part>> = {
  positions: {
    run: async (dataDirectory) => ({
      ...(await tortureByKills({
        ...options,
        dataDirectory,
        onKill: (kill, acked) => say(`kill ${kill} of ${options.kills}, ${acked} positions acknowledged so far`),
      })),
    }),
    faults: ['lost', 'doubled', 'invented'],
  },
  trackers: {
    run: async (dataDirectory) => ({
      ...(await tortureTrackersByKills({
        dataDirectory,
        kills: options.trackerKills,
        units,
        seed,
        onKill: (kill, acked) => say(`kill ${kill} of ${options.trackerKills}, ${acked} records acknowledged so far`),
      })),
    }),
    faults: ['lost', 'doubled', 'invented', 'altered'],
  },
  alarms: {
    run: async (dataDirectory) => ({
      ...(await tortureAlarmsByKills({
        dataDirectory,
        kills: options.alarmKills,
        units,
        seed,
        onKill: (kill, acked) => say(`kill ${kill} of ${options.alarmKills}, ${acked} alarms acknowledged so far`),
      })),
    }),
    faults: ['lost', 'doubled', 'invented', 'altered'],
  },
  commands: {
    run: async (dataDirectory) => ({
      ...(await tortureCommands({
        dataDirectory,
        disconnects: options.commandDisconnects,
        kills: options.commandKills,
        units,
        seed,
        onKill: (kill, sent) => say(`kill ${kill} of ${options.commandKills}, ${sent} commands sent so far`),
      })),
    }),
    faults: ['lost', 'unfinished', 'notOnce', 'invented', 'inconsistent'],
  },
  tus: {
    run: async (dataDirectory) => ({
      ...(await tortureTus({
        dataDirectory,
        cuts: options.tusCuts,
        kills: options.tusKills,
        bytes: 8_000_000,
        seed,
        onBreak: (done, kind) => say(`${kind} ${done} of ${options.tusCuts + options.tusKills}`),
      })),
    }),
    faults: ['damaged', 'surplus', 'litter'],
  },
  uploads: {
    run: async (dataDirectory) => ({
      ...(await tortureUploads({ dataDirectory, kills: options.tusKills, units: 8, seed })),
    }),
    faults: ['lost', 'broken'],
  },
}

const root = mkdtempSync(path.join(tmpdir(), 'milepost-torture-'))
say(`seed ${seed}, data in ${root}, stores: ${options.stores}`)
for (const name of NAMES) {
  if (command.args.length > 0 && !command.args.includes(name)) continue
  const { run, faults } = PARTS[name]
  const dataDirectory = path.join(root, name)
  mkdirSync(dataDirectory)
  const result = await run(dataDirectory)
  const found = faults.filter((fault) => result[fault] !== 0)
  say(`${name}: ${JSON.stringify(result)}${found.length > 0 ? `, FAILED: ${found.join(', ')}` : ''}`)
  if (found.length > 0) process.exitCode = 1
}
if (process.exitCode === 1) say('The data is kept')
else {
  rmSync(root, { recursive: true, force: true })
  await removeStores()
}

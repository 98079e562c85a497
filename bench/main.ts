import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism, loadavg } from 'node:os'
import path from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { benchAlarmList } from './alarm-list.js'
import { benchAlarmsIn } from './alarms-in.js'
import { benchBatches } from './batches.js'
import type { BenchOptions } from './bench-options.js'
import { benchCommands } from './commands.js'
import { type Finding, tabulate } from './finding.js'
import { benchHttp } from './http.js'
import { benchIdleMemory } from './idle-memory.js'
import { benchSingles } from './singles.js'
import { benchStores } from './stores.js'
import { benchTrackers } from './trackers.js'
import { benchUploads } from './uploads.js'

const PARTS: Readonly<Record<string, (options: BenchOptions) => Promise<Finding[]>>> = {
  singles: benchSingles,
  batches: benchBatches,
  memory: benchIdleMemory,
  http: benchHttp,
  'alarms-list': () => benchAlarmList(),
  'alarms-in': benchAlarmsIn,
  uploads: benchUploads,
  commands: benchCommands,
  trackers: benchTrackers,
  stores: benchStores,
}

interface CommandLine {
  readonly units: number
  readonly sockets: number
  readonly repeats: number
  readonly seconds: number
  readonly warmUp: number
  readonly clipMib: number
  readonly clips: number
  readonly json: string
  readonly profile?: string
  readonly reportOnly?: true
}

const positive = (text: string) => {
  const value = Number(text)
  if (!(value > 0)) throw new InvalidArgumentError('must be a number above 0')
  return value
}

const command = new Command('npm run bench --')
  .description(
    'Loads the built server and compares it with bare servers in the same run; ends with 1 if a target is missed.',
  )
  .argument('[parts...]', `any of ${Object.keys(PARTS).join(', ')}; all when none is named`)
  .option('--units <n>', 'units that send', positive, 100)
  .option('--sockets <n>', 'idle sockets of the memory part, and connections of the trackers part', positive, 5000)
  .option('--repeats <n>', 'windows of each load; medians are reported', positive, 3)
  .option('--seconds <n>', 'length of a window', positive, 4)
  .option('--warm-up <n>', 'seconds of load before each window', positive, 1)
  .option('--clip-mib <n>', 'size of a large clip of the uploads part', positive, 64)
  .option('--clips <n>', 'large clips in one measurement of the uploads part', positive, 16)
  .option('--json <file>', 'where everything measured is written', 'bench/results/latest.json')
  .option(
    '--profile <directory>',
    "write CPU profiles of the loaded server's threads (slower: for looking, not for figures)",
  )
  .option('--report-only', 'end with 0 also when a target is missed')
  .action(run)

async function run(parts: readonly string[], line: CommandLine): Promise<void> {
  const chosen = parts.length === 0 ? Object.keys(PARTS) : parts
  const unknown = chosen.find((name) => !(name in PARTS))
  if (unknown !== undefined) command.error(`there is no part ${unknown}; parts are ${Object.keys(PARTS).join(', ')}`)
  const options: BenchOptions = {
    units: line.units,
    sockets: line.sockets,
    repeats: line.repeats,
    windowMs: line.seconds * 1000,
    warmUpMs: line.warmUp * 1000,
    clipBytes: Math.round(line.clipMib * 1_048_576),
    clips: line.clips,
    profileDirectory: line.profile,
  }
  const machine = { node: process.version, cores: availableParallelism(), loadBefore: loadavg()[0] }
  process.stdout.write(`Node ${machine.node}, ${machine.cores} cores, load before ${machine.loadBefore?.toFixed(2)}\n`)
  const findings: Finding[] = []
  for (const name of chosen) {
    process.stderr.write(`${name} …\n`)
    findings.push(...((await PARTS[name]?.(options)) ?? []))
  }
  process.stdout.write(`\n${tabulate(findings)}\n`)
  mkdirSync(path.dirname(line.json), { recursive: true })
  writeFileSync(line.json, `${JSON.stringify({ at: new Date().toISOString(), machine, options, findings }, null, 2)}\n`)
  if (findings.some(({ isMet }) => isMet === false) && line.reportOnly !== true) process.exitCode = 1
}

await command.parseAsync()

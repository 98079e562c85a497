import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { tortureAlarmsByKills } from './alarm-torture.js'
import { tortureCommands } from './command-torture.js'
import { tortureByKills } from './kill-torture.js'
import { tortureTus } from './tus-torture.js'
import { tortureUploads } from './upload-torture.js'

const count = (text: string) => {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('must be a whole number, 1 or more')
  return Number(text)
}

const options = new Command('torture')
  .description(
    'Kills the server at random moments under load and looks for acknowledged records that are gone or doubled; then the same for alarms, for commands to units whose links are cut, and for uploads',
  )
  .option('--kills <n>', 'how often', count, 100)
  .option('--units <n>', 'units that send meanwhile', count, 40)
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
  .option('--seed <n>', 'makes the moments of a run repeat', count, Date.now() % 1_000_000)
  .parse()
  .opts<{
    kills: number
    units: number
    seed: number
    alarmKills: number
    commandDisconnects: number
    commandKills: number
    tusCuts: number
    tusKills: number
  }>()

const dataDirectory = mkdtempSync(path.join(tmpdir(), 'milepost-torture-'))
process.stdout.write(`seed ${options.seed}, data in ${dataDirectory}\n`)
const result = await tortureByKills({
  ...options,
  dataDirectory,
  onKill: (kill, acked) =>
    process.stdout.write(`kill ${kill} of ${options.kills}, ${acked} records acknowledged so far\n`),
})
process.stdout.write(`${JSON.stringify(result)}\n`)
const alarmDirectory = path.join(dataDirectory, 'alarms')
mkdirSync(alarmDirectory)
const alarms = await tortureAlarmsByKills({
  dataDirectory: alarmDirectory,
  kills: options.alarmKills,
  units: options.units,
  seed: options.seed,
  onKill: (kill, acked) =>
    process.stdout.write(`kill ${kill} of ${options.alarmKills}, ${acked} alarms acknowledged so far\n`),
})
process.stdout.write(`${JSON.stringify(alarms)}\n`)
const commandDirectory = path.join(dataDirectory, 'commands')
mkdirSync(commandDirectory)
const commands = await tortureCommands({
  dataDirectory: commandDirectory,
  disconnects: options.commandDisconnects,
  kills: options.commandKills,
  units: options.units,
  seed: options.seed,
  onKill: (kill, sent) =>
    process.stdout.write(`kill ${kill} of ${options.commandKills}, ${sent} commands sent so far\n`),
})
process.stdout.write(`${JSON.stringify(commands)}\n`)
const tusDirectory = path.join(dataDirectory, 'tus')
mkdirSync(tusDirectory)
const tus = await tortureTus({
  dataDirectory: tusDirectory,
  cuts: options.tusCuts,
  kills: options.tusKills,
  bytes: 8_000_000,
  seed: options.seed,
  onBreak: (done, kind) =>
    process.stdout.write(`${kind} ${done} of ${options.tusCuts + options.tusKills} under resumable uploads\n`),
})
process.stdout.write(`${JSON.stringify(tus)}\n`)
const uploadDirectory = path.join(dataDirectory, 'uploads')
mkdirSync(uploadDirectory)
const uploads = await tortureUploads({
  dataDirectory: uploadDirectory,
  kills: options.tusKills,
  units: 8,
  seed: options.seed,
})
process.stdout.write(`${JSON.stringify(uploads)}\n`)
const isVideoLost = tus.damaged + tus.surplus + tus.litter + uploads.lost + uploads.broken > 0
const { lost, unfinished, notOnce, invented, inconsistent } = commands
const isCommandWrong = lost + unfinished + notOnce + invented + inconsistent > 0
const isAlarmWrong = alarms.lost + alarms.doubled + alarms.invented + alarms.altered > 0
if (result.lost + result.doubled + result.invented > 0 || isAlarmWrong || isCommandWrong || isVideoLost) {
  process.stdout.write('FAILED: the data directory is kept\n')
  process.exitCode = 1
} else rmSync(dataDirectory, { recursive: true, force: true })

import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { MAX_BATCH } from '../src/codecs/device-json/decode-positions.js'
import type { FleetOptions } from './fleet-options.js'
import { findImeis, SIMULATED_IMEIS } from './imei-range.js'
import type { UploadWay } from './socket/socket-transport.js'
import {
  TRACKER_PORTS,
  TRACKER_PROTOCOLS,
  type TrackerOptions,
  type TrackerProtocol,
} from './tracker/tracker-options.js'

/** What a command line asks for: a run, or a text (help, or what was wrong) and the code to exit with. */
export type CommandLine =
  | { readonly kind: 'run'; readonly files: readonly string[]; readonly fleet: FleetOptions }
  | { readonly kind: 'end'; readonly exitCode: number; readonly text: string }

const WRONG_USE = 2

interface Given {
  readonly gpx: string[]
  readonly server: string
  readonly trucks: number
  readonly speedup: number
  readonly rebase: boolean
  readonly live: boolean
  readonly batch: number
  readonly inFlight: number
  readonly ackTimeout: number
  readonly imeiBase: string
  readonly adminUser: string
  readonly adminPassword?: string
  readonly secrets: boolean
  readonly state?: string
  readonly seed: string
  readonly duplicate: boolean
  readonly shuffle: number
  readonly clockSkew: number
  readonly dropAcks: number
  readonly disconnectEvery: number
  readonly alarmsPerHour: number
  readonly alarmBurst: number
  readonly clips: number
  readonly upload: UploadWay
  readonly resetTime: number
  readonly protocol: 'socket' | TrackerProtocol
  readonly transport: 'tcp' | 'udp'
  readonly trackerPort?: number
  readonly sack: boolean
}

/** Reads the command line; the environment gives what should not be seen in a list of processes. */
export function readCommandLine(argv: readonly string[], environment: NodeJS.ProcessEnv): CommandLine {
  let text = ''
  const command = describe().exitOverride()
  command.configureOutput({
    writeOut: (written) => {
      text += written
    },
    writeErr: (written) => {
      text += written
    },
  })
  try {
    command.parse([...argv], { from: 'user' })
    const given = command.opts<Given>()
    checkTogether(command, given)
    return { kind: 'run', files: given.gpx, fleet: fleetOptionsOf(given, environment) }
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return { kind: 'end', exitCode: error.exitCode === 0 ? 0 : WRONG_USE, text: text.trimEnd() }
  }
}

function describe(): Command {
  return new Command('simulate')
    .description('Trucks that are not there: they drive recorded drives and report them as good units do.')
    .requiredOption(
      '--gpx <file...>',
      'recorded drives (GPX tracks with times); truck 2 takes the second file, and so on',
    )
    .option('--server <url>', 'where the server listens', originOf, 'http://127.0.0.1:3000')
    .addOption(
      new Option('--protocol <name>', "what the trucks' units speak: the device socket, or a brand of trackers")
        .choices(['socket', ...TRACKER_PROTOCOLS])
        .default('socket'),
    )
    .addOption(
      new Option('--transport <name>', 'of trackers: over a connection, or (teltonika alone) as datagrams')
        .choices(['tcp', 'udp'])
        .default('tcp'),
    )
    .option('--tracker-port <n>', "the server's port for the brand, else the customary one", whole(1, 65_535))
    .option('--sack', 'queclink: every report waits for its answer, and the devices are set so', false)
    .option('--trucks <n>', 'how many trucks', whole(1, 100_000), 1)
    .option('--speedup <s>', 'recorded time over real time; 0 or max: as fast as the acks allow', speedupOf, 1)
    .option('--rebase', 'shift the recorded times so that the last fix is now', false)
    .option('--live', 'drive there and back for ever, each fix at its moment; trucks are spread along the drive', false)
    .option('--batch <n>', 'records in one event while a truck is behind', whole(1, MAX_BATCH), 100)
    .option('--in-flight <n>', 'events that may wait for their ack at a time', whole(1, 1000), 4)
    .option('--ack-timeout <s>', 'send an event again after so many seconds without an ack', number(0.01, 3600), 15)
    .option('--imei-base <digits>', 'the first IMEI, or how it begins', imeiBaseOf, SIMULATED_IMEIS)
    .option('--admin-user <name>', 'admin who registers the trucks', 'admin')
    .option('--admin-password <password>', 'better in MILEPOST_ADMIN_PASSWORD; without either nothing is registered')
    .option('--secrets', 'give each truck a secret and present it; needs --state', false)
    .option('--alarms-per-hour <n>', 'alarms of each truck in an hour of its drive', number(0, 100_000), 0)
    .option('--alarm-burst <n>', 'alarms that each truck raises at once when it begins', whole(0, 100_000), 0)
    .addOption(
      new Option('--clips [share]', 'upload a clip for this share of the alarms, or for all')
        .argParser(number(0, 1))
        .preset('1')
        .default(0, 'none'),
    )
    .addOption(
      new Option('--upload <way>', 'how clips go: in one request, resumed after a cut, or to the object store')
        .choices(['put', 'tus', 'direct'])
        .default('put'),
    )
    .option('--reset-time <s>', 'how long a RESET takes; a REBOOT takes three times as long', number(0, 3600), 3)
    .option('--state <dir>', 'keep outboxes (and secrets) there: a run that was killed goes on where it stopped')
    .option('--seed <text>', 'the same seed misbehaves in the same way', '1')
    .option('--duplicate', 'send each fix two or three times, in different events', false)
    .addOption(
      new Option('--shuffle [window]', 'random order, within so many fixes or the whole drive')
        .argParser(windowOf)
        .preset('all')
        .default(0, 'off'),
    )
    .option(
      '--clock-skew <s>',
      "how many seconds the units' clocks are ahead (or, negative, behind)",
      number(-1e9, 1e9),
      0,
    )
    .option('--drop-acks <share>', 'ignore this share of the acks, 0 to 0.99, and send again', number(0, 0.99), 0)
    .option('--disconnect-every <s>', 'cut each link after about so many seconds; 0: never', number(0, 1e6), 0)
    .allowExcessArguments(false)
    .showSuggestionAfterError(false)
}

function checkTogether(command: Command, given: Given): void {
  const wrong = (text: string) => command.error(`error: ${text}`, { exitCode: WRONG_USE })
  if (given.secrets && given.state === undefined) wrong('--secrets needs --state, where the secrets are kept')
  if (given.live && given.speedup === 0) wrong('--live needs a pace: --speedup must be more than 0')
  if (given.live && given.rebase)
    wrong('--live and --rebase exclude each other: live fixes have the time of their making')
  checkTracker(command, given, wrong)
  if (findImeis(given.imeiBase, given.trucks) === undefined) wrong('--imei-base leaves no room for so many trucks')
}

/** What is of one kind of unit is not quietly left out for another. */
function checkTracker(command: Command, given: Given, wrong: (text: string) => void): void {
  const brands = TRACKER_PROTOCOLS.join(', ')
  if (given.protocol === 'socket') {
    if (given.trackerPort !== undefined) wrong(`--tracker-port needs --protocol, one of ${brands}`)
    if (command.getOptionValueSource('transport') !== 'default') wrong(`--transport needs --protocol, one of ${brands}`)
  } else {
    if (given.secrets) wrong('--secrets is for --protocol socket: trackers cannot present one')
    if (given.clips > 0) wrong('--clips is for --protocol socket: trackers have no camera')
  }
  if (given.transport === 'udp' && given.protocol !== 'teltonika') {
    wrong('--transport udp is for --protocol teltonika alone')
  }
  if (given.sack && given.protocol !== 'queclink') wrong('--sack is for --protocol queclink alone')
}

function trackerOptionsOf({ protocol, sack, trackerPort, transport }: Given): TrackerOptions | undefined {
  if (protocol === 'socket') return undefined
  return { protocol, transport, port: trackerPort ?? TRACKER_PORTS[protocol], sack }
}

function fleetOptionsOf(given: Given, { FFMPEG_PATH, MILEPOST_ADMIN_PASSWORD }: NodeJS.ProcessEnv): FleetOptions {
  const password = given.adminPassword ?? MILEPOST_ADMIN_PASSWORD
  const tracker = trackerOptionsOf(given)
  return {
    origin: given.server,
    trucks: given.trucks,
    imeiBase: given.imeiBase,
    speedup: given.speedup,
    rebase: given.rebase,
    isLive: given.live,
    batch: given.batch,
    inFlight: given.inFlight,
    ackTimeoutMs: given.ackTimeout * 1000,
    dropAcks: given.dropAcks,
    disconnectEveryMs: given.disconnectEvery * 1000,
    duplicate: given.duplicate,
    shuffleWindow: given.shuffle,
    clockSkewMs: Math.round(given.clockSkew * 1000),
    alarmsPerHour: given.alarmsPerHour,
    alarmBurst: given.alarmBurst,
    clipShare: given.clips,
    uploadWay: given.upload,
    resetMs: given.resetTime * 1000,
    ...(FFMPEG_PATH === undefined || FFMPEG_PATH === '' ? {} : { ffmpeg: FFMPEG_PATH }),
    seed: given.seed,
    ...(tracker === undefined ? {} : { tracker }),
    ...(password === undefined || password === '' ? {} : { admin: { username: given.adminUser, password } }),
    usesSecrets: given.secrets,
    ...(given.state === undefined ? {} : { stateDirectory: given.state }),
  }
}

function number(least: number, most: number) {
  return (text: string): number => {
    const value = text.trim() === '' ? Number.NaN : Number(text)
    if (value >= least && value <= most) return value
    throw new InvalidArgumentError(`It must be a number from ${least} to ${most}.`)
  }
}

function whole(least: number, most: number) {
  return (text: string): number => {
    if (/^\d+$/.test(text) && Number(text) >= least && Number(text) <= most) return Number(text)
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`)
  }
}

function speedupOf(text: string): number {
  return text === 'max' ? 0 : number(0, 1e6)(text)
}

function windowOf(text: string): number {
  return text === 'all' ? Number.POSITIVE_INFINITY : whole(2, 1_000_000)(text)
}

function imeiBaseOf(text: string): string {
  if (findImeis(text, 1) !== undefined) return text
  throw new InvalidArgumentError('It must be an IMEI, or up to 14 digits that it begins with.')
}

function originOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isPlain =
    url !== undefined && url.pathname === '/' && url.search === '' && url.hash === '' && url.username === ''
  if (isPlain && /^https?:$/.test(url.protocol)) return url.origin
  throw new InvalidArgumentError('It must be http(s)://host[:port], without a path.')
}

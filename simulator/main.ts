import { findPackagedFfmpeg } from './clips/clip-maker.js'
import type { Drive } from './drives/drive.js'
import { GpxError, readGpx } from './drives/read-gpx.js'
import { Fleet, type FleetSummary } from './fleet.js'
import { readCommandLine } from './options.js'
import { Progress } from './progress.js'
import { RegistrationError } from './registration.js'
import { summaryText } from './report.js'
import { JournalError } from './unit/line-file.js'

const NOT_SETTLED = 1
const WRONG_INPUT = 2
const INTERRUPTED = 130
/** A terminal's Ctrl-C may arrive twice, from the terminal and from npm; only a later one means it. */
const SECOND_SIGNAL_MS = 1_000

async function main(): Promise<number> {
  const line = readCommandLine(process.argv.slice(2), process.env)
  if (line.kind === 'end') {
    const stream = line.exitCode === 0 ? process.stdout : process.stderr
    stream.write(`${line.text}\n`)
    return line.exitCode
  }
  const drives: Drive[] = []
  for (const file of line.files) drives.push(await readGpx(file))
  const note = (text: string) => progress.note(text)
  const ffmpeg = line.fleet.ffmpeg ?? (await findPackagedFfmpeg())
  const fleet = new Fleet({ ...line.fleet, ...(ffmpeg === undefined ? {} : { ffmpeg }) }, drives, { note })
  const progress = new Progress(() => fleet.summary(), process.stderr)
  if (ffmpeg === undefined && line.fleet.clipShare > 0) note('no ffmpeg (FFMPEG_PATH): there will be no clips')
  const wasInterrupted = stopOnSignal(fleet, note)
  const summary = await fleet.run().finally(() => progress.end())
  process.stdout.write(`${summaryText(summary)}\n`)
  return exitCodeOf(summary, wasInterrupted())
}

function exitCodeOf({ isSettled }: FleetSummary, wasInterrupted: boolean): number {
  if (isSettled) return 0
  return wasInterrupted ? INTERRUPTED : NOT_SETTLED
}

/** What a person can mend: the input, the server's refusal, or (with a system's code) the file system. */
function isExpected(error: Error): boolean {
  const kinds = [GpxError, RegistrationError, JournalError]
  return kinds.some((kind) => error instanceof kind) || 'syscall' in error
}

function stopOnSignal(fleet: Fleet, note: (text: string) => void): () => boolean {
  let signalledMs: number | undefined
  const handleSignal = () => {
    if (signalledMs === undefined) {
      signalledMs = Date.now()
      note('stopping; once more to stop at once')
      void fleet.stop()
    } else if (Date.now() - signalledMs > SECOND_SIGNAL_MS) {
      process.exit(INTERRUPTED)
    }
  }
  process.on('SIGINT', handleSignal).on('SIGTERM', handleSignal)
  return () => signalledMs !== undefined
}

main().then(
  (exitCode) => {
    process.exitCode = exitCode
  },
  (error: unknown) => {
    if (!(error instanceof Error) || !isExpected(error)) throw error
    process.stderr.write(`error: ${error.message}\n`)
    process.exitCode = error instanceof GpxError ? WRONG_INPUT : NOT_SETTLED
  },
)

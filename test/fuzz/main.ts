import { Command } from 'commander'
import { seededRandom } from '../torture/seeded-random.js'
import { FuzzFinding, fuzzCodec } from './codec-fuzz.js'
import { FUZZ_TARGETS } from './fuzz-targets.js'

const MEBIBYTE = 1_048_576

const command = new Command('npm run fuzz --')
  .description('Gives mutated frames to the codecs of trackers: each must be read or refused, whatever it is.')
  .argument('[protocols...]', 'only these')
  .option('--frames <n>', 'mutated frames for each codec', '10000000')
  .option('--seed <n>', 'of the mutations', String(Date.now() % 1_000_000))
  .parse()

const { frames, seed } = command.opts<{ frames: string; seed: string }>()
// First of all, so that a run that is ended by a hang or by a crash can be had again.
process.stdout.write(`seed ${seed}, ${frames} frames for each codec\n`)
for (const target of FUZZ_TARGETS) {
  const { protocol } = target.codec
  if (command.args.length > 0 && !command.args.includes(protocol)) continue
  const startedMs = performance.now()
  try {
    const report = fuzzCodec(target, Number(frames), seededRandom(Number(seed)))
    const seconds = (performance.now() - startedMs) / 1000
    const memory = `${(process.memoryUsage().rss / MEBIBYTE).toFixed(0)} MiB`
    const slowest = `${report.slowestMs.toFixed(1)} ms`
    const outcomes = JSON.stringify(report.outcomes)
    process.stdout.write(
      `${protocol}: ${frames} frames in ${seconds.toFixed(0)} s, seed ${seed}, slowest ${slowest}, ${memory}: ${outcomes}\n`,
    )
  } catch (error) {
    if (!(error instanceof FuzzFinding)) throw error
    process.stdout.write(`seed ${seed}: ${error.message}\n`)
    process.exitCode = 1
  }
}

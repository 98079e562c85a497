import { seededRandom } from '../torture/seeded-random.js'
import { fuzzCodec } from './codec-fuzz.js'
import { FUZZ_TARGETS } from './fuzz-targets.js'

const FRAMES = 100_000
/** A frame takes some microseconds; a busy machine may stop for a while. */
const HANG_MS = 2000
/** What is not given back at once, with what the run itself leaves. */
const MOST_GROWTH_BYTES = 268_435_456

describe.each(FUZZ_TARGETS.map((target) => [target.codec.protocol, target] as const))(
  'mutated frames of %s',
  (_, target) => {
    it('are read, or refused with a reason, and nothing else', () => {
      const before = process.memoryUsage().rss
      const { frames, outcomes, slowestMs } = fuzzCodec(target, FRAMES, seededRandom(20_261_122))
      expect(frames).toBe(FRAMES)
      expect(slowestMs).toBeLessThan(HANG_MS)
      expect(process.memoryUsage().rss - before).toBeLessThan(MOST_GROWTH_BYTES)
      // They reach all the way: some are still messages, and of the others every kind of reason is there.
      expect(outcomes.message).toBeGreaterThan(FRAMES / 100)
      expect(Object.keys(outcomes).length).toBeGreaterThan(4)
    })
  },
)

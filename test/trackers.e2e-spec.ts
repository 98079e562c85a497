import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { expectedAttributes } from '../src/codecs/expected-attributes.contract.js'
import { type FrameSample, framesOf } from '../src/codecs/tracker-frames.contract.js'
import { FrameBuffer } from '../src/ingress/tracker/frame-buffer.js'
import { runsOnServers } from './stores/test-servers.js'
import { metricSum } from './support/metric-sum.js'
import { removeTemporaryDirectories } from './support/temporary-directory.js'
import { type StoredPosition, startTrackerApp, storedOf, type TrackerApp } from './support/tracker-app.js'
import { TRACKER_BRANDS } from './support/tracker-brand.js'
import { TrackerUnit } from './support/tracker-unit.js'

/** For frames that do not name their sender. */
const OTHER_IMEI = '356307042441013'
const WITHIN_MS = 10_000
/** As many answers as the longest frame has bytes, each after a commit. */
const LONG_MS = 120_000
/** What a connection reads is no matter of stores: what they keep is the same for one cut as for hundreds. */
const WHEREVER = runsOnServers() ? 'when they are cut in two' : 'wherever they are cut'

/** What connections have read, chunk by chunk. */
const reads = jest.spyOn(FrameBuffer.prototype, 'push')

afterAll(async () => {
  reads.mockRestore()
  await removeTemporaryDirectories()
})

describe.each(TRACKER_BRANDS.map((brand) => [brand.protocol, brand] as const))(
  'frames of %s through a socket',
  (protocol, brand) => {
    const samples = framesOf(protocol).filter(
      ({ transport, direction }) => transport === 'tcp' && direction === 'device->server',
    )
    /** Where acknowledgements are a matter of settings: without them, and with them. */
    const cases = samples.flatMap((sample) => {
      const { ackHex, sackIfEnabledHex } = sample.expect
      const plain = [sample.id, { sample, sack: false, answer: ackHex ?? '' }] as const
      if (sackIfEnabledHex === undefined) return [plain]
      return [plain, [`${sample.id} with SACK`, { sample, sack: true, answer: sackIfEnabledHex }] as const]
    })
    let running: TrackerApp
    let imei: string
    const added: string[] = []
    const units: TrackerUnit[] = []

    beforeAll(async () => {
      running = await startTrackerApp()
    })
    afterEach(async () => {
      for (const unit of units.splice(0)) unit.close()
      for (const deviceId of added.splice(0)) await call('DELETE', `/${deviceId}?erase=true`)
    })
    afterAll(() => running.close())

    it('are all there', () => {
      expect(samples.length).toBe({ teltonika: 20, queclink: 26, ruptela: 10, galileosky: 9 }[protocol])
    })

    it.each(cases)(
      `are answered and stored the same ${WHEREVER}: %s`,
      async (_, { sample, sack, answer }) => {
        const bytes = Buffer.from(sample.hex, 'hex')
        const { recordCount = 0, records = [] } = sample.expect
        imei = sample.expect.imei ?? OTHER_IMEI
        await call('POST', '', { deviceId: imei })
        added.push(imei)
        if (sack) await call('PATCH', `/${imei}`, { trackerSack: true })
        const before = await counted()
        let hellos = 0
        let unit: TrackerUnit | undefined
        const ways = runsOnServers() ? [cutInTwo(bytes)] : waysToCut(bytes)
        for (const parts of ways) {
          // What a unit says first it says on a new connection.
          if (unit === undefined || sample.kind === 'login') {
            unit?.close()
            unit = await connect()
            hellos += await sayHello(unit, sample)
          }
          await sendParts(unit, parts)
          // What is sent behind it is answered behind it: nothing more is said to it, and nothing less.
          const sign = brand.sign(imei)
          unit.send(sign.bytes)
          const answers = answer + sign.answer
          expect(await unit.answer(answers.length / 2)).toBe(answers)
        }
        expect(await storedWithin(records.length)).toEqual(expectedOf(sample))
        const after = await counted()
        expect(after.frames - before.frames).toBe(hellos + 2 * ways.length)
        expect(after.records - before.records).toBe(recordCount * ways.length)
        expect(after.errors - before.errors).toBe(0)
        expect(unit?.received).toBe('')
      },
      LONG_MS,
    )

    async function call(method: string, path: string, body?: unknown): Promise<void> {
      const answer = await running.api.request(method, `/api/v1/devices${path}`, { token: running.admin, body })
      if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.text}`)
    }

    async function connect(): Promise<TrackerUnit> {
      const unit = await TrackerUnit.connect(running.portOf(protocol))
      units.push(unit)
      return unit
    }

    /** @returns how many frames that took */
    async function sayHello(unit: TrackerUnit, { kind, expect: { imei: named } }: FrameSample): Promise<number> {
      const isNeeded = kind !== 'login' && (protocol === 'teltonika' || named === undefined)
      const hello = isNeeded ? brand.hello(imei) : undefined
      if (hello === undefined) return 0
      unit.send(hello.bytes)
      expect(await unit.answer(hello.answer.length / 2)).toBe(hello.answer)
      return 1
    }

    /** Each part is one read of the server's: the next is sent when it has the one before. */
    async function sendParts(unit: TrackerUnit, parts: readonly Buffer[]): Promise<void> {
      reads.mockClear()
      const untilMs = performance.now() + WITHIN_MS
      for (const [i, part] of parts.entries()) {
        unit.send(part)
        while (reads.mock.calls.length <= i) {
          if (performance.now() > untilMs) throw new Error(`part ${i} of ${parts.length} is not read`)
          await nextTurn()
        }
      }
      expect(reads.mock.calls.map(([chunk]) => chunk.length)).toEqual(parts.map(({ length }) => length))
    }

    /** Some are not answered, and stored a moment later. */
    async function storedWithin(count: number): Promise<StoredPosition[]> {
      const untilMs = performance.now() + WITHIN_MS
      for (;;) {
        const stored = await storedOf(running, imei)
        if (stored.length >= count || performance.now() > untilMs) return stored
        await sleep(20)
      }
    }

    async function counted(): Promise<{ frames: number; records: number; errors: number }> {
      return {
        frames: await metricSum(running, 'milepost_tracker_frames_total'),
        records: await metricSum(running, 'milepost_positions_total'),
        errors: await metricSum(running, 'milepost_decode_errors_total'),
      }
    }

    /** In time order; all of it by the files, nothing by the codec. */
    function expectedOf(sample: FrameSample): StoredPosition[] {
      const attributes = expectedAttributes(protocol, sample)
      return (sample.expect.records ?? [])
        .map((record, nth) => ({
          time: record.time,
          latitude: record.lat,
          longitude: record.lon,
          altitude: record.altitudeM ?? null,
          speed: record.speedKph ?? null,
          heading: typeof record.courseDeg === 'number' ? record.courseDeg % 360 : null,
          accuracy: null,
          satellites: record.satellites ?? null,
          hasFix: record.valid && !(record.lat === 0 && record.lon === 0),
          attributes: attributes[nth] ?? null,
        }))
        .sort((a, b) => Date.parse(a.time) - Date.parse(b.time))
    }
  },
)

/** In two at each byte, and at all of them. */
function waysToCut(bytes: Buffer): Buffer[][] {
  const inTwo = Array.from({ length: bytes.length - 1 }, (_, i) => [bytes.subarray(0, i + 1), bytes.subarray(i + 1)])
  return [...inTwo, Array.from(bytes, (byte) => Buffer.of(byte))]
}

/** At its middle; a single byte is one part. */
function cutInTwo(bytes: Buffer): Buffer[] {
  const half = bytes.length >> 1
  return [bytes.subarray(0, half), bytes.subarray(half)].filter(({ length }) => length > 0)
}

import { setTimeout as sleep } from 'node:timers/promises'
import { type MalformedSample, malformedOf } from '../src/codecs/tracker-frames.contract.js'
import { testImei } from './support/api.js'
import { removeTemporaryDirectories } from './support/temporary-directory.js'
import { addTracker, startTrackerApp, storedOf, storedTimes, type TrackerApp } from './support/tracker-app.js'
import { sentRecord, TRACKER_BRANDS } from './support/tracker-brand.js'
import { TrackerUnit } from './support/tracker-unit.js'

/** What becomes of a connection: it goes on, is closed at once, or waits for the rest of a frame until the limit. */
type Connection = 'open' | 'closed' | 'waits'

/** What becomes of a case: records stored, answer as hex, connection. */
type Outcome = readonly [stored: number, answer: string, connection: Connection]

const REFUSED: Outcome = [0, '', 'closed']
const INCOMPLETE: Outcome = [0, '', 'waits']
const PASSED_OVER: Outcome = [0, '', 'open']
const SACK = Buffer.from('+SACK:11F0$').toString('hex')

/** By id, everything that is not refused with its connection. */
const OUTCOMES: Readonly<Record<string, Outcome>> = {
  'tel-truncated-62': INCOMPLETE,
  'tel-truncated-65': INCOMPLETE,
  // Well-formed: refused for good by what it says, so it is answered, or the unit would send it for ever.
  'tel-coordinates-214': [0, '00000001', 'open'],
  'tel-time-max': [0, '00000001', 'open'],
  'tel-login-unknown': [0, '00', 'closed'],
  'tel-c12-quantities': PASSED_OVER,
  'tel-c12-unsolicited': PASSED_OVER,
  'tel-published-badlength-138': INCOMPLETE,
  // 81 of the 82 bytes that its length announces.
  'tel-wiki-jamming-example': INCOMPLETE,
  'que-no-tail': INCOMPLETE,
  'que-garbage-then-good': [1, SACK, 'open'],
  'que-prefix-unknown': PASSED_OVER,
  'que-imei-16': PASSED_OVER,
  'que-imei-letters': PASSED_OVER,
  'que-imei-empty': PASSED_OVER,
  'que-count-not-hex': PASSED_OVER,
  'que-hbd-count-injection': PASSED_OVER,
  'que-number-15': [1, SACK, 'open'],
  'que-number-0': [1, SACK, 'open'],
  // Stored without the place that cannot be read.
  'que-longitude-nan': [1, SACK, 'open'],
  'que-longitude-short': [1, SACK, 'open'],
  'que-speed-huge': [1, SACK, 'open'],
  'que-extra-fields': [1, SACK, 'open'],
  'que-utf8': [1, SACK, 'open'],
  'que-crlf-between': [1, `${SACK}${Buffer.from('+SACK:GTHBD,1A0102,11F0$').toString('hex')}`, 'open'],
  'que-published-cut': PASSED_OVER,
  'que-ack-unknown-serial': PASSED_OVER,
  'rup-truncated-9': INCOMPLETE,
  'rup-truncated-72': INCOMPLETE,
  'rup-records-left-2': [1, '0002640113bc', 'open'],
  'rup-coordinates-214': [0, '0002640113bc', 'open'],
  'rup-unsupported-transparent': PASSED_OVER,
  'rup-unsupported-tacho': PASSED_OVER,
  'rup-unknown-device': [0, '00037302b4afa3', 'closed'],
  'gal-truncated-3': INCOMPLETE,
  'gal-truncated-27': INCOMPLETE,
  // One byte is missing to its length.
  'gal-length-24': INCOMPLETE,
  'gal-unknown-tag': [0, '024686', 'open'],
  'gal-coordinates-95': [0, '0264ec', 'open'],
  'gal-descending-tags': [0, '02e036', 'open'],
}

/** Of those that name who sends them, where the connection goes on. */
const IMEIS: Readonly<Record<string, string>> = { 'gal-unknown-tag': '868204005647838' }

/** Words of the files, by what becomes of a connection. */
const ALLOWED: Readonly<Record<Connection, RegExp>> = {
  open: /^keep$|close or keep/,
  closed: /^close/,
  waits: /^keep until the idle limit|close or wait|wait only if within the limit/,
}

const FRAME_LIMIT_MS = 1000
/** Limits are looked at every second. */
const LIMIT_WITHIN_MS = FRAME_LIMIT_MS + 2500

afterAll(removeTemporaryDirectories)

describe.each(TRACKER_BRANDS.map((brand) => [brand.protocol, brand] as const))(
  'malformed frames of %s through a socket',
  (protocol, brand) => {
    const samples = malformedOf(protocol).filter(({ transport }) => transport === 'tcp')
    const witness = { imei: testImei(1), next: 0 }
    let running: TrackerApp
    let strict: TrackerApp
    let witnessing: TrackerUnit
    let cases = 1

    beforeAll(async () => {
      running = await startTrackerApp({ TRACKER_FRAME_TIMEOUT_S: String(FRAME_LIMIT_MS / 1000) })
      strict = await startTrackerApp({ DEVICE_ENROLMENT: 'registered' })
      await addTracker(running, witness.imei)
      witnessing = await TrackerUnit.connect(running.portOf(protocol))
      const hello = brand.hello(witness.imei)
      if (hello !== undefined) await exchange(witnessing, hello)
    })
    afterAll(async () => {
      witnessing.close()
      await running.close()
      await strict.close()
    })

    async function exchange(unit: TrackerUnit, { bytes, answer }: { bytes: Buffer; answer: string }): Promise<void> {
      unit.send(bytes)
      expect(await unit.answer(answer.length / 2)).toBe(answer)
    }

    /** Another device, on a connection that was there before, is heard as if nothing had happened. */
    async function expectWitness(): Promise<void> {
      const n = witness.next++
      await exchange(witnessing, brand.records(witness.imei, [sentRecord(n)], n))
      expect(await storedTimes(running, witness.imei)).toEqual(
        Array.from({ length: witness.next }, (_, i) => sentRecord(i).timeMs),
      )
      expect((await running.api.get('/health/live')).status).toBe(200)
    }

    /** Records of all devices but the witness. */
    async function countStored(app: TrackerApp): Promise<number> {
      const devices = await app.api.all<{ deviceId: string }>('/api/v1/devices', app.admin)
      const others = devices.filter(({ deviceId }) => deviceId !== witness.imei)
      const stored = await Promise.all(others.map(({ deviceId }) => storedOf(app, deviceId)))
      return stored.flat().length
    }

    async function connect({ needs }: MalformedSample, app: TrackerApp, imei: string): Promise<TrackerUnit> {
      const unit = await TrackerUnit.connect(app.portOf(protocol))
      const hello = brand.hello(imei)
      if (hello !== undefined && (needs === 'logged in' || needs === 'after a HeadPack')) await exchange(unit, hello)
      return unit
    }

    /** What came of it. A connection that is open takes what is right afterwards. */
    async function outcomeOf(unit: TrackerUnit, bytes: Buffer, imei: string): Promise<[string, Connection]> {
      const { bytes: sign, answer: signed } = brand.sign(imei)
      unit.send(bytes)
      const startedMs = performance.now()
      const untilMs = startedMs + FRAME_LIMIT_MS / 2
      while (!unit.isEnded && unit.received === '' && performance.now() < untilMs) await sleep(5)
      if (unit.isEnded) return [unit.received, 'closed']
      if (awaitsMore(bytes)) {
        const answer = await unit.ended()
        expect(performance.now() - startedMs).toBeGreaterThan(FRAME_LIMIT_MS / 2)
        expect(performance.now() - startedMs).toBeLessThan(LIMIT_WITHIN_MS)
        return [answer, 'waits']
      }
      unit.send(sign)
      for (const sentMs = performance.now(); !unit.received.endsWith(signed); await sleep(5)) {
        if (unit.isEnded) return [unit.received, 'closed']
        if (performance.now() - sentMs > 5000) throw new Error(`open, but not heard any more: ${unit.received}`)
      }
      return [unit.received.slice(0, -signed.length), 'open']
    }

    /** By the codec, whose word is then held against the clock. */
    function awaitsMore(bytes: Buffer): boolean {
      for (let rest = bytes; rest.length > 0; ) {
        const split = brand.codec.split(rest)
        if (split.kind === 'wait' || split.kind === 'lost') return split.kind === 'wait'
        rest = rest.subarray(split.length)
      }
      return false
    }

    it.each(samples.map((sample) => [sample.id, sample] as const))('%s', async (id, sample) => {
      const app = sample.needs === 'IMEI not registered' ? strict : running
      const imei = IMEIS[id] ?? imeiIn(sample) ?? testImei(++cases)
      const mayEnrol = app !== strict && brand.hello(imei) === undefined
      if (mayEnrol) await addTracker(app, imei)
      const before = await countStored(app)
      const unit = await connect(sample, app, imei)
      const [answer, connection] = await outcomeOf(unit, Buffer.from(sample.hex, 'hex'), imei)
      unit.close()
      await expectWitness()
      const stored = (await countStored(app)) - before
      expect([stored, answer, connection]).toEqual(OUTCOMES[id] ?? REFUSED)
      expectAllowed(sample, { stored, answer, connection })
      if (mayEnrol) {
        const path = `/api/v1/devices/${imei}?erase=true`
        expect((await app.api.request('DELETE', path, { token: app.admin })).status).toBe(204)
      }
    })

    it('are all there', () => {
      expect(samples.length).toBe({ teltonika: 29, queclink: 19, ruptela: 18, galileosky: 16 }[protocol])
      const known = samples.map(({ id }) => id)
      expect(Object.keys(OUTCOMES).filter((id) => id.startsWith(protocol.slice(0, 3)) && !known.includes(id))).toEqual(
        [],
      )
    })
  },
)

/** The IMEI of frames that name their sender and are well-formed as far as that. */
function imeiIn({ id, hex }: MalformedSample): string | undefined {
  if (id.startsWith('que-')) return '135790246811220'
  if (!id.startsWith('rup-')) return undefined
  const imei = BigInt(`0x${hex.slice(4, 20).padEnd(16, '0')}`)
  return imei > 0n && imei < 1_000_000_000_000_000n ? String(imei).padStart(15, '0') : undefined
}

/** The outcome is among those that the file allows. */
function expectAllowed(
  { expect: allowed, hex }: MalformedSample,
  { stored, answer, connection }: { stored: number; answer: string; connection: Connection },
): void {
  if (typeof allowed.stored === 'number') expect(stored).toBe(allowed.stored)
  else if (/\d/.test(String(allowed.stored))) expect(String(allowed.stored)).toMatch(new RegExp(`\\b${stored}\\b`))
  else expect(stored).toBe(0)
  expect(String(allowed.connection)).toMatch(ALLOWED[connection])
  expect(allowed.processAlive).toBe(true)
  const { replyHex, replyText, replyRule, reply, mustNotSend } = allowed
  if (replyHex !== undefined) expect(String(replyHex).startsWith(answer)).toBe(true)
  if (replyText !== undefined) expect(Buffer.from(answer, 'hex').toString()).toContain(replyText)
  if (replyRule !== undefined) expect(answer).toBe(`02${hex.slice(-4)}`)
  if (reply !== undefined) expect(['', '00']).toContain(answer)
  if (mustNotSend === undefined) return
  if (typeof mustNotSend !== 'string') throw new Error('what must not be sent is said in words')
  if (mustNotSend.startsWith('+')) expect(Buffer.from(answer, 'hex').toString()).not.toContain(mustNotSend)
  else expect(answer).toBe('')
}

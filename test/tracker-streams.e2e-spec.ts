import { setTimeout as sleep } from 'node:timers/promises'
import { encodeHeadPacket } from '../src/codecs/galileosky/encode-records.js'
import { encodeHeartbeat } from '../src/codecs/queclink/encode-report.js'
import { encodeUnitFrame } from '../src/codecs/ruptela/encode-records.js'
import { encodeLogin } from '../src/codecs/teltonika/encode-records.js'
import { testImei } from './support/api.js'
import { metricSum } from './support/metric-sum.js'
import { removeTemporaryDirectories } from './support/temporary-directory.js'
import { addTracker, startTrackerApp, storedOf, storedTimes, type TrackerApp } from './support/tracker-app.js'
import { type Exchange, sentRecord, sentRecords, TRACKER_BRANDS, type TrackerBrand } from './support/tracker-brand.js'
import { TrackerUnit } from './support/tracker-unit.js'
import { seededRandom } from './torture/seeded-random.js'

/** Time for an answer that must not come. */
const SILENCE_MS = 60
/** What is nothing of the protocol ends a connection at once; the limits of these servers are longer. */
const AT_ONCE_MS = 2000
const LOGIN_LIMIT_MS = 4000
/** What is refused comes to be known a moment after the answer, on a busy machine later. */
const KNOWN_WITHIN_MS = 15_000
const TLS_HELLO = Buffer.from('1603010200010001fc0303', 'hex')
const HTTP_REQUEST = Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
const STRANGER = testImei(998)
const RUBBISH = Buffer.from('deadbeef0badcafe', 'hex')

/** What would do harm in a log, a path, a query or a table. */
const HOSTILE = [
  ['quotes', `35'"09408167217`],
  ['control characters', '35\x1b[2J\x07\r\n081672'],
  ['NULs', '\0'.repeat(15)],
  ['a path', '../../../etc/pa'],
  ['a query', "1' OR '1'='1'--"],
  ['digits of another script', Buffer.from('\u0663\u0665\u0662\u0660\u0669\u0664\u0660').toString('latin1')],
] as const

/** Numbers that are no IMEI: none, sixteen digits, negative for who reads it signed. */
const NO_IMEIS = [0n, 1_000_000_000_000_000n, 2n ** 64n - 1n]

/** What is answered to the introduction of a device that is not let in, where the protocol has something. */
const REFUSALS: Readonly<Record<string, string>> = { teltonika: '00', ruptela: '00037302b4afa3' }
const IDENTIFICATION = Buffer.concat([Buffer.from('Es0400.03.68.04'), Buffer.alloc(22)])

const joined = (exchanges: readonly Exchange[]) => Buffer.concat(exchanges.map(({ bytes }) => bytes))
const answersOf = (exchanges: readonly Exchange[]) => exchanges.map(({ answer }) => answer).join('')

afterAll(removeTemporaryDirectories)

describe.each(TRACKER_BRANDS.map((brand) => [brand.protocol, brand] as const))('streams of %s', (protocol, brand) => {
  let running: TrackerApp
  let devices = 0
  const units: TrackerUnit[] = []

  beforeAll(async () => {
    running = await startTrackerApp({ TRACKER_LOGIN_TIMEOUT_S: String(LOGIN_LIMIT_MS / 1000) })
  })
  afterEach(() => {
    for (const unit of units.splice(0)) unit.close()
  })
  afterAll(() => running.close())

  async function newDevice(settings: Record<string, unknown> = {}): Promise<string> {
    devices++
    const imei = testImei(devices)
    await addTracker(running, imei, settings)
    return imei
  }

  async function connect(): Promise<TrackerUnit> {
    const unit = await TrackerUnit.connect(running.portOf(protocol))
    units.push(unit)
    return unit
  }

  /** A unit that has said hello, and is answered. */
  async function arrive(imei: string): Promise<TrackerUnit> {
    const unit = await connect()
    const hello = brand.hello(imei)
    if (hello !== undefined) await exchange(unit, hello)
    return unit
  }

  async function exchange(unit: TrackerUnit, { bytes, answer }: Exchange): Promise<void> {
    unit.send(bytes)
    expect(await unit.answer(answer.length / 2)).toBe(answer)
  }

  const one = (imei: string, n: number) => brand.records(imei, [sentRecord(n)], n)
  const timesOf = (...ns: readonly number[]) => ns.map((n) => sentRecord(n).timeMs)

  async function endedAtOnce(unit: TrackerUnit): Promise<string> {
    const startedMs = performance.now()
    const rest = await unit.ended()
    expect(performance.now() - startedMs).toBeLessThan(AT_ONCE_MS)
    return rest
  }

  it('1: one byte per write, 1 ms apart: one decode, one answer, after the last byte only', async () => {
    const imei = await newDevice()
    const unit = await arrive(imei)
    const { bytes, answer } = brand.records(imei, sentRecords(0, 2), 1)
    for (const byte of bytes.subarray(0, -1)) {
      unit.send(Buffer.of(byte))
      await sleep(1)
    }
    await sleep(SILENCE_MS)
    expect(unit.received).toBe('')
    unit.send(bytes.subarray(-1))
    expect(await unit.answer(answer.length / 2)).toBe(answer)
    expect(await storedTimes(running, imei)).toEqual(timesOf(0, 1))
  })

  it('2: split at every offset into two writes: the same at each, also of what is said first', async () => {
    const imei = await newDevice()
    const { bytes: hello = Buffer.alloc(0), answer: welcome = '' } = brand.hello(imei) ?? {}
    for (let cut = 1; cut < hello.length; cut++) {
      const unit = await connect()
      unit.send(hello.subarray(0, cut))
      await sleep(1)
      unit.send(hello.subarray(cut))
      expect(await unit.answer(welcome.length / 2)).toBe(welcome)
      unit.close()
    }
    const unit = await arrive(imei)
    const { length } = one(imei, 0).bytes
    for (let cut = 1; cut < length; cut++) {
      const { bytes, answer } = one(imei, cut)
      unit.send(bytes.subarray(0, cut))
      await sleep(1)
      unit.send(bytes.subarray(cut))
      expect(await unit.answer(answer.length / 2)).toBe(answer)
    }
    expect(await storedTimes(running, imei)).toEqual(timesOf(...Array.from({ length: length - 1 }, (_, i) => i + 1)))
  })

  it.each([2, 10, 100])('3: %i frames in one write: all decoded, one answer each, in order', async (count) => {
    const imei = await newDevice()
    const unit = await arrive(imei)
    const frames = Array.from({ length: count }, (_, i) => brand.records(imei, sentRecords(i * 3, 1 + (i % 3)), i))
    unit.send(joined(frames))
    const answers = answersOf(frames)
    expect(await unit.answer(answers.length / 2)).toBe(answers)
    const sent = Array.from({ length: count }, (_, i) =>
      timesOf(...[0, 1, 2].slice(0, 1 + (i % 3)).map((k) => i * 3 + k)),
    )
    expect(await storedTimes(running, imei)).toEqual(sent.flat())
  })

  it('3: what is said first and the frames in one write', async () => {
    const imei = await newDevice()
    const hello = brand.hello(imei)
    const all = [...(hello === undefined ? [] : [hello]), one(imei, 0), brand.sign(imei), one(imei, 1)]
    const unit = await connect()
    unit.send(joined(all))
    expect(await unit.answer(answersOf(all).length / 2)).toBe(answersOf(all))
    expect(await storedTimes(running, imei)).toEqual(timesOf(0, 1))
  })

  it('4: one and a half frames, a pause, the rest: the first is answered at once, the second when it is there', async () => {
    const imei = await newDevice()
    const unit = await arrive(imei)
    const [first, second] = [one(imei, 0), one(imei, 1)]
    const half = Math.floor(second.bytes.length / 2)
    await exchange(unit, { bytes: Buffer.concat([first.bytes, second.bytes.subarray(0, half)]), answer: first.answer })
    await sleep(SILENCE_MS)
    expect(unit.received).toBe('')
    await exchange(unit, { bytes: second.bytes.subarray(half), answer: second.answer })
    expect(await storedTimes(running, imei)).toEqual(timesOf(0, 1))
  })

  it('5: a frame followed by rubbish counts, then the connection closes', async () => {
    const imei = await newDevice()
    const unit = await arrive(imei)
    const { bytes, answer } = one(imei, 0)
    unit.send(Buffer.concat([bytes, RUBBISH, one(imei, 1).bytes]))
    expect(await endedAtOnce(unit)).toBe(answer)
    expect(await storedTimes(running, imei)).toEqual(timesOf(0))
  })

  it('6: rubbish before the first frame: closed, nothing stored', async () => {
    const imei = await newDevice()
    const unit = await connect()
    unit.send(Buffer.concat([RUBBISH, brand.hello(imei)?.bytes ?? Buffer.alloc(0), one(imei, 0).bytes]))
    expect(await endedAtOnce(unit)).toBe('')
    expect(await storedTimes(running, imei)).toEqual([])
  })

  it('11: a reset in mid-frame: nothing of it is stored', async () => {
    const imei = await newDevice()
    const unit = await arrive(imei)
    await exchange(unit, one(imei, 0))
    unit.send(one(imei, 1).bytes.subarray(0, -1))
    await sleep(SILENCE_MS)
    unit.reset()
    await exchange(await arrive(imei), one(imei, 2))
    expect(await storedTimes(running, imei)).toEqual(timesOf(0, 2))
  })

  it('12: an exact repeat is answered again and stored once', async () => {
    const imei = await newDevice()
    const frame = brand.records(imei, sentRecords(0, 3), 1)
    const unit = await arrive(imei)
    for (let repeat = 0; repeat < 5; repeat++) await exchange(unit, frame)
    await exchange(await arrive(imei), frame)
    expect(await storedTimes(running, imei)).toEqual(timesOf(0, 1, 2))
  })

  it('13: the same IMEI on a second connection: both deliver, and the newest gets the commands', async () => {
    const imei = await newDevice()
    const older = await arrive(imei)
    await exchange(older, one(imei, 0))
    const newer = await arrive(imei)
    await exchange(newer, one(imei, 1))
    await exchange(older, one(imei, 2))
    const params = { text: 'AT+GTRTO=gl300,3,,,,,,0001$' }
    const body = { type: 'CUSTOM', params }
    const sent = await running.api.post(`/api/v1/devices/${imei}/commands`, body, running.admin)
    expect(sent.status).toBe(202)
    for (let tries = 0; !Buffer.from(newer.received, 'hex').includes(params.text); tries++) {
      if (tries > 200) throw new Error(`the command did not come, but ${newer.received}`)
      await sleep(20)
    }
    expect(older.received).toBe('')
    expect(await storedTimes(running, imei)).toEqual(timesOf(0, 1, 2))
  })

  it('14: another IMEI on a connection that has one: refused, closed', async () => {
    const [imei, other] = [await newDevice(), await newDevice()]
    const unit = await arrive(imei)
    await exchange(unit, one(imei, 0))
    unit.send(Buffer.concat([brand.hello(other)?.bytes ?? Buffer.alloc(0), one(other, 1).bytes]))
    expect(await endedAtOnce(unit)).toBe('')
    expect([await storedTimes(running, imei), await storedTimes(running, other)]).toEqual([timesOf(0), []])
  })

  it('15: a half-close after the last frame: the answer is still sent', async () => {
    const imei = await newDevice()
    const unit = await arrive(imei)
    const frames = [one(imei, 0), one(imei, 1)]
    unit.send(joined(frames))
    unit.halfClose()
    expect(await endedAtOnce(unit)).toBe(answersOf(frames))
    expect(await storedTimes(running, imei)).toEqual(timesOf(0, 1))
  })

  it('16: single bits flipped, some hundreds of them: nothing that can be told to be damaged is stored or answered', async () => {
    const imei = await newDevice()
    const random = seededRandom(16)
    const frame = brand.records(imei, sentRecords(0, 2), 1)
    const damaged = Array.from({ length: 300 }, () => {
      const bytes = Buffer.from(frame.bytes)
      const bit = Math.floor(random() * bytes.length * 8)
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      return bytes
    })
    const answers: string[] = []
    while (damaged.length > 0) {
      const some = damaged.splice(0, 20).map(async (bytes) => {
        const unit = await arrive(imei)
        unit.send(bytes)
        unit.halfClose()
        return unit.ended()
      })
      answers.push(...(await Promise.all(some)))
    }
    const hasChecksum = protocol !== 'queclink'
    if (hasChecksum) expect([new Set(answers), await storedTimes(running, imei)]).toEqual([new Set(['']), []])
    for (const answer of answers) expect(Buffer.from(answer, 'hex').toString()).toMatch(/^(\+SACK:[0-9A-Fa-f]{4}\$)?$/)
    await exchange(await arrive(imei), one(imei, 5))
  })

  it('18: a frame truncated at every length waits; on close nothing is stored', async () => {
    const imei = await newDevice()
    const { bytes } = one(imei, 0)
    const cut = await Promise.all(
      Array.from({ length: bytes.length - 1 }, async (_, i) => {
        const unit = await arrive(imei)
        unit.send(bytes.subarray(0, i + 1))
        return unit
      }),
    )
    await sleep(SILENCE_MS)
    expect(cut.filter(({ isEnded, received }) => isEnded || received !== '').length).toBe(0)
    for (const [i, unit] of cut.entries()) i % 2 === 0 ? unit.halfClose() : unit.reset()
    await exchange(await arrive(imei), one(imei, 1))
    expect(await storedTimes(running, imei)).toEqual(timesOf(1))
  })

  it.each([
    ['0', 0, true],
    ['the last of 1999', Date.parse('1999-12-31T23:59:59.000Z'), true],
    ['2038-01-19T03:14:08Z', Date.parse('2038-01-19T03:14:08.000Z'), false],
    ['the last second of 32 bits', 0xffff_ffff * 1000, false],
  ])(
    '21: a clock at %s: the past is stored, the future is refused for good, and the unit goes on',
    async (_, timeMs, isStored) => {
      const imei = await newDevice()
      const unit = await arrive(imei)
      await exchange(unit, brand.records(imei, [sentRecord(0, { timeMs })], 1))
      await exchange(unit, one(imei, 1))
      expect(await storedTimes(running, imei)).toEqual([...(isStored ? [timeMs] : []), ...timesOf(1)])
      const path = `/api/v1/quarantine?deviceId=${imei}`
      const codes = async () => (await running.api.all<{ code: string }>(path, running.admin)).map(({ code }) => code)
      const untilMs = performance.now() + KNOWN_WITHIN_MS
      while (!isStored && (await codes()).length === 0 && performance.now() < untilMs) await sleep(20)
      expect(await codes()).toEqual(isStored ? [] : ['time_in_future'])
    },
  )

  it('22: coordinates that are not on earth are no valid position, and 0/0 is none either', async () => {
    const imei = await newDevice()
    const unit = await arrive(imei)
    const places = [
      { latitude: 90.5, longitude: 11 },
      { latitude: 48, longitude: -180.5 },
      { latitude: 0, longitude: 0 },
    ]
    for (const [n, place] of places.entries()) await exchange(unit, brand.records(imei, [sentRecord(n, place)], n))
    const stored = await storedOf(running, imei)
    expect(stored.map(({ time, hasFix }) => [Date.parse(time), hasFix])).toEqual([[sentRecord(2).timeMs, false]])
    const { body } = await running.api.get<{ position: unknown }>(`/api/v1/devices/${imei}`, running.admin)
    expect(body.position).toBeNull()
  })

  it.each([
    ...TRACKER_BRANDS.filter((other) => other !== brand && !isTakenFor(other, brand)).map(strangersOf),
    ['a TLS hello', TLS_HELLO] as const,
    ['an HTTP request', HTTP_REQUEST] as const,
  ])('23: %s on its port: closed at once, told of once, nothing stored', async (_, bytes) => {
    const told = () => metricSum(running, 'milepost_decode_errors_total')
    const [before, known] = [await told(), await knownDevices()]
    const unit = await connect()
    unit.send(bytes)
    expect(await endedAtOnce(unit)).toBe('')
    expect((await told()) - before).toBe(1)
    expect(await knownDevices()).toEqual(known)
  })

  const lookAlikes = TRACKER_BRANDS.filter((other) => isTakenFor(other, brand)).map(strangersOf)
  if (lookAlikes.length > 0)
    it.each(lookAlikes)(
      '23: %s on its port, which begins as a long frame does: closed by the login limit',
      async (_, bytes) => {
        const known = await knownDevices()
        const unit = await connect()
        unit.send(bytes)
        expect(await unit.ended()).toBe('')
        expect(await knownDevices()).toEqual(known)
      },
    )

  it.each(hostileNames(brand))('24: an IMEI of %s is refused before use', async (_, bytes) => {
    const known = await knownDevices()
    const unit = await connect()
    unit.send(bytes)
    unit.halfClose()
    const answer = await endedAtOnce(unit)
    expect(['', '00']).toContain(answer)
    expect(await knownDevices()).toEqual(known)
  })

  it.each([
    ['is disabled', { status: 'disabled' }, { status: 'active' }],
    ['has a secret', { trackerAllowed: false }, { trackerAllowed: true }],
  ])(
    'a device that %s is refused as its protocol can say it, counted, and let in once an admin allows it',
    async (what, hindered, allowed) => {
      const imei = await newDevice(what === 'has a secret' ? { secret: 'correct horse battery staple' } : {})
      await change(imei, hindered)
      const refused = () => metricSum(running, 'milepost_refusals_total', /ingress="tcp",code="login_refused"/)
      const before = await refused()
      const unit = await connect()
      unit.send(Buffer.concat([introductionOf(brand, imei), one(imei, 0).bytes]))
      expect(await endedAtOnce(unit)).toBe(REFUSALS[protocol] ?? '')
      expect([(await refused()) - before, await storedTimes(running, imei)]).toEqual([1, []])
      await change(imei, allowed)
      await exchange(await arrive(imei), one(imei, 1))
      expect(await storedTimes(running, imei)).toEqual(timesOf(1))
    },
  )

  async function change(imei: string, body: Record<string, unknown>): Promise<void> {
    const changed = await running.api.request('PATCH', `/api/v1/devices/${imei}`, { token: running.admin, body })
    expect(changed.status).toBe(200)
  }

  async function knownDevices(): Promise<string[]> {
    const known = await running.api.all<{ deviceId: string }>('/api/v1/devices', running.admin)
    return known.map(({ deviceId }) => deviceId)
  }
})

/** A Galileosky HeadPack is the beginning of a frame of Ruptela's with 278 bytes, of a unit whose IMEI is well-formed. */
function isTakenFor(other: TrackerBrand, brand: TrackerBrand): boolean {
  return other.protocol === 'galileosky' && brand.protocol === 'ruptela'
}

/** How a device says who it is before anything else, where the protocol has something for that. */
function introductionOf({ protocol, hello }: TrackerBrand, imei: string): Buffer {
  if (protocol === 'ruptela') return encodeUnitFrame(imei, 0x0f, IDENTIFICATION)
  return hello(imei)?.bytes ?? Buffer.alloc(0)
}

function hostileNames({ protocol }: TrackerBrand): Array<readonly [string, Buffer]> {
  if (protocol === 'ruptela')
    return NO_IMEIS.map((imei) => [String(imei), encodeUnitFrame(String(imei), 0x10, Buffer.alloc(0))] as const)
  const frameOf =
    { teltonika: encodeLogin, galileosky: encodeHeadPacket }[protocol] ??
    ((imei: string) => encodeHeartbeat(imei, 0, 1))
  return HOSTILE.map(([what, imei]) => [what, frameOf(imei.padEnd(15, '0').slice(0, 15))] as const)
}

/** What units of another brand say first. */
function strangersOf({ protocol, hello, records }: TrackerBrand): readonly [string, Buffer] {
  const first = hello(STRANGER)?.bytes ?? Buffer.alloc(0)
  return [`${protocol}`, Buffer.concat([first, records(STRANGER, sentRecords(0, 2), 1).bytes])]
}

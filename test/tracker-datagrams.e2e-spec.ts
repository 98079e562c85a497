import { setTimeout as sleep } from 'node:timers/promises'
import { expectedAttributes } from '../src/codecs/expected-attributes.contract.js'
import { encodeAck, encodeFixReport, encodeHeartbeat } from '../src/codecs/queclink/encode-report.js'
import { encodeRecordsFrame } from '../src/codecs/ruptela/encode-records.js'
import { encodeLogin, encodeRecordsDatagram } from '../src/codecs/teltonika/encode-records.js'
import { TRACKER_CODECS } from '../src/codecs/tracker-codecs.js'
import { framesOf, malformedOf } from '../src/codecs/tracker-frames.contract.js'
import { Trackers } from '../src/ingress/tracker/trackers.js'
import { AppError } from '../src/model/app-error.js'
import { DeviceRecords } from '../src/storage/sql/device-records.js'
import { FaultyPositionStore } from './stores/faulty-position-store.js'
import { testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { DatagramUnit } from './support/datagram-unit.js'
import { freePort } from './support/free-port.js'
import { makeDevice } from './support/memory-device-records.js'
import { metricSum } from './support/metric-sum.js'
import { removeTemporaryDirectories } from './support/temporary-directory.js'
import { storedOf, storedTimes } from './support/tracker-app.js'
import { sentRecord } from './support/tracker-brand.js'
import { TrackerUnit } from './support/tracker-unit.js'

interface DeviceItem {
  readonly online: boolean
  readonly transport: string | null
  readonly brand: string | null
  readonly protocol: string | null
}

interface CommandItem {
  readonly id: string
  readonly status: string
}

const [TELTONIKA, QUECLINK, RUPTELA, GALILEOSKY] = TRACKER_CODECS
/** Whoever has this long to answer and does not, does not. */
const A_MOMENT_MS = 300
const WITHIN_MS = 15_000

/** Records of a unit that has sent nothing before, so that what is asked for is what was sent. */
const teltonika = (imei: string, n: number, avlPacketId = 5, packetId = n) =>
  encodeRecordsDatagram(imei, { packetId, avlPacketId }, '8', [sentRecord(n)])
const acked = (n: number, avlPacketId = 5) =>
  `0005${n.toString(16).padStart(4, '0')}01${avlPacketId.toString(16).padStart(2, '0')}01`
const report = (imei: string, n: number) => encodeFixReport(imei, [sentRecord(n)], n)
const timeOf = (n: number) => sentRecord(n).timeMs
const textOf = (hex: string) => Buffer.from(hex, 'hex').toString('latin1')

let running: RunningApp
let store: FaultyPositionStore
const units: DatagramUnit[] = []
const ports = new Map<string, number>()

async function start(environment: Record<string, string> = {}): Promise<void> {
  const settings = { RETENTION_DAYS: '0', IMEI_CHECK: 'any', DEVICE_ENROLMENT: 'open', ...environment }
  running = await startApp(settings, (inner) => {
    store = new FaultyPositionStore(inner)
    return store
  })
  const trackers = running.app.get(Trackers)
  for (const codec of TRACKER_CODECS)
    if (codec.decodeDatagram !== undefined) ports.set(codec.protocol, await trackers.listenForDatagrams(codec, 0))
}

async function openUnit(protocol: string): Promise<DatagramUnit> {
  const unit = await DatagramUnit.open(ports.get(protocol) ?? 0)
  units.push(unit)
  return unit
}

async function closeUnits(): Promise<void> {
  for (const unit of units.splice(0)) await unit.close()
}

async function stop(): Promise<void> {
  await closeUnits()
  store.recover()
  await running.close()
  jest.restoreAllMocks()
}

/** Asks until it is so. @throws Error when it does not become so */
async function eventually<T>(ask: () => Promise<T>, isSo: (answer: T) => boolean): Promise<T> {
  const untilMs = performance.now() + WITHIN_MS
  for (;;) {
    const answer = await ask()
    if (isSo(answer)) return answer
    if (performance.now() > untilMs) throw new Error(`still ${JSON.stringify(answer)}`)
    await sleep(25)
  }
}

async function expectStored(imei: string, ...numbers: readonly number[]): Promise<void> {
  const times = await eventually(
    () => storedTimes(running, imei),
    ({ length }) => length >= numbers.length,
  )
  expect(times).toEqual(numbers.map(timeOf))
}

async function register(deviceId: string, changes: Record<string, unknown> = {}): Promise<void> {
  const { status, text } = await running.api.post('/api/v1/devices', { deviceId, ...changes }, running.admin)
  if (status !== 201) throw new Error(text)
}

async function change(deviceId: string, body: Record<string, unknown>): Promise<void> {
  const { status, text } = await running.api.request('PATCH', `/api/v1/devices/${deviceId}`, {
    token: running.admin,
    body,
  })
  if (status !== 200) throw new Error(text)
}

const deviceOf = async (imei: string) =>
  (await running.api.get<DeviceItem>(`/api/v1/devices/${imei}`, running.admin)).body

/** @returns the id of the command */
async function wantReboot(imei: string): Promise<string> {
  const path = `/api/v1/devices/${imei}/commands`
  return (await running.api.post<CommandItem>(path, { type: 'REBOOT' }, running.admin)).body.id
}

const commandOf = async (id: string) =>
  (await running.api.get<CommandItem>(`/api/v1/commands/${id}`, running.admin)).body

afterAll(removeTemporaryDirectories)

describe('recorded datagrams of trackers', () => {
  beforeAll(() => start())
  afterEach(closeUnits)
  afterAll(stop)

  it.each(
    ['teltonika', 'queclink', 'ruptela'].flatMap((brand) =>
      framesOf(brand)
        .filter(({ transport }) => transport === 'udp')
        .map((frame) => [frame.id, brand, frame] as const),
    ),
  )('are answered with exactly their bytes, and stored with their values: %s', async (_, brand, frame) => {
    const { imei = '', ackHex, records = [] } = frame.expect
    const unit = await openUnit(brand)
    await unit.send(frame.hex)
    expect(await unit.answer()).toBe(ackHex)
    const stored = await storedOf(running, imei)
    const attributes = expectedAttributes(brand, frame)
    for (const [nth, record] of records.entries()) {
      expect(stored.filter(({ time }) => time === record.time)).toEqual([
        {
          time: record.time,
          latitude: record.lat,
          longitude: record.lon,
          altitude: record.altitudeM,
          speed: record.speedKph,
          heading: record.courseDeg,
          accuracy: null,
          satellites: record.satellites,
          hasFix: record.valid,
          attributes: attributes[nth],
        },
      ])
    }
  })

  it('hold their elements by name', async () => {
    expect((await storedOf(running, '352093086403655')).map(({ attributes }) => attributes)).toEqual([
      { priority: 1, event: 1, gsmSignal: 3, digitalInput1: true, externalVoltageV: 23.996 },
      {
        priority: 1,
        event: 1,
        digitalInput1: true,
        accelerationXG: 0.157,
        odometerM: 22949000,
        'io.11': '000000003544c87a',
        'io.14': '000000001dd7e06a',
      },
    ])
  })

  it.each(
    malformedOf('teltonika')
      .filter(({ transport }) => transport === 'udp')
      .map((one) => [one.id, one] as const),
  )('that are damaged are neither answered nor stored: %s', async (_, { hex }) => {
    const unit = await openUnit('teltonika')
    const before = await metricSum(running, 'milepost_decode_errors_total')
    await unit.send(hex)
    expect(await unit.answersWithin(A_MOMENT_MS)).toEqual([])
    expect((await metricSum(running, 'milepost_decode_errors_total')) - before).toBe(1)
  })
})

describe('datagrams of Teltonika units', () => {
  let imeis = 100
  let imei: string
  let unit: DatagramUnit

  beforeAll(() => start({ DEVICE_ENROLMENT: 'registered' }))
  beforeEach(async () => {
    imei = testImei(imeis++)
    await register(imei)
    unit = await openUnit('teltonika')
  })
  afterEach(closeUnits)
  afterAll(stop)

  const withImeiLength = (length: number) => {
    const bytes = Buffer.from(teltonika(imei, 1))
    bytes.writeUInt16BE(length, 6)
    return bytes
  }
  const resized = (bytes: Buffer) => {
    const copy = Buffer.from(bytes)
    copy.writeUInt16BE(copy.length - 2, 0)
    return copy
  }

  it.each<readonly [string, () => Buffer]>([
    ['empty', () => Buffer.alloc(0)],
    ['shorter than the header', () => teltonika(imei, 1).subarray(0, 20)],
    ['with a length of one too many', () => Buffer.concat([Buffer.of(0xff, 0xff), teltonika(imei, 1).subarray(2)])],
    ['of an IMEI of no digits', () => withImeiLength(0)],
    ['of an IMEI of 255 digits', () => withImeiLength(255)],
    ['of an IMEI of 65,535 digits', () => withImeiLength(65_535)],
    ['of unequal counts', () => Buffer.concat([teltonika(imei, 1).subarray(0, -1), Buffer.of(2)])],
    ['of two packets', () => Buffer.concat([teltonika(imei, 1), teltonika(imei, 2)])],
    ['of two packets whose length is right', () => resized(Buffer.concat([teltonika(imei, 1), teltonika(imei, 2)]))],
    ['of 65,507 bytes', () => Buffer.concat([teltonika(imei, 1), Buffer.alloc(65_507 - teltonika(imei, 1).length)])],
    ['of another brand', () => report(imei, 1)],
    ['of random bytes', () => Buffer.from('16030100a5010000a10303', 'hex')],
  ])('that are %s are counted and nothing else', async (_, make) => {
    const before = await metricSum(running, 'milepost_decode_errors_total')
    await unit.send(make())
    expect(await unit.answersWithin(A_MOMENT_MS)).toEqual([])
    expect((await metricSum(running, 'milepost_decode_errors_total')) - before).toBe(1)
    await unit.send(teltonika(imei, 3))
    expect(await unit.answer()).toBe(acked(3))
    await expectStored(imei, 3)
  })

  it('are answered and stored each, also when the number of the packet is the same', async () => {
    await unit.send(teltonika(imei, 1, 5, 0xcafe), teltonika(imei, 2, 5, 0xcafe))
    expect([await unit.answer(), await unit.answer()]).toEqual(['0005cafe010501', '0005cafe010501'])
    await expectStored(imei, 1, 2)
  })

  it('that are repeated are answered again and stored once', async () => {
    for (let i = 0; i < 3; i++) {
      await unit.send(teltonika(imei, 1))
      expect(await unit.answer()).toBe(acked(1))
    }
    await expectStored(imei, 1)
  })

  it('are answered to where each came from, of two devices behind one address and of one that changes its own', async () => {
    const other = testImei(imeis++)
    await register(other)
    await unit.send(teltonika(imei, 1), teltonika(other, 2))
    expect([await unit.answer(), await unit.answer()].sort()).toEqual([acked(1), acked(2)])
    const elsewhere = await openUnit('teltonika')
    await elsewhere.send(teltonika(imei, 3))
    expect(await elsewhere.answer()).toBe(acked(3))
    expect(await unit.answersWithin(A_MOMENT_MS)).toEqual([])
    await unit.send(teltonika(imei, 4))
    expect(await unit.answer()).toBe(acked(4))
    await expectStored(imei, 1, 3, 4)
    await expectStored(other, 2)
  })

  it('show their device as there, by UDP, with its brand', async () => {
    expect(await deviceOf(imei)).toMatchObject({ online: false, transport: null, protocol: null })
    await unit.send(teltonika(imei, 1))
    await unit.answer()
    const device = await eventually(
      () => deviceOf(imei),
      ({ protocol }) => protocol !== null,
    )
    expect(device).toMatchObject({ online: true, transport: 'udp', brand: 'Teltonika', protocol: 'teltonika' })
  })

  it('leave commands queued for a connection: how they would travel nobody knows', async () => {
    await unit.send(teltonika(imei, 1))
    await unit.answer()
    const id = await wantReboot(imei)
    await unit.send(teltonika(imei, 2))
    expect(await unit.answer()).toBe(acked(2))
    expect(await unit.answersWithin(A_MOMENT_MS)).toEqual([])
    expect((await commandOf(id)).status).toBe('queued')
    if (TELTONIKA === undefined) throw new Error('no such codec')
    const overTcp = await TrackerUnit.connect(await running.app.get(Trackers).listenFor(TELTONIKA, 0))
    overTcp.send(encodeLogin(imei))
    expect(await overTcp.answer(1)).toBe('01')
    expect(textOf(await overTcp.answer(23))).toMatch(/cpureset/)
    // Datagrams do not take its place, since anybody could send one.
    await unit.send(teltonika(imei, 3))
    expect(await unit.answer()).toBe(acked(3))
    expect(await deviceOf(imei)).toMatchObject({ online: true, transport: 'tcp' })
    overTcp.close()
  })

  it('are refused of a device that is not registered, until it is', async () => {
    const stranger = testImei(imeis++)
    const refusals = () => metricSum(running, 'milepost_refusals_total', /ingress="udp",code="login_refused"/)
    const before = await refusals()
    await unit.send(teltonika(stranger, 1))
    expect(await unit.answersWithin(A_MOMENT_MS)).toEqual([])
    expect((await refusals()) - before).toBe(1)
    await register(stranger)
    await unit.send(teltonika(stranger, 2))
    expect(await unit.answer()).toBe(acked(2))
    await expectStored(stranger, 2)
  })

  it('are refused from the moment on that the device is disabled, and taken from the moment on that it is not', async () => {
    await unit.send(teltonika(imei, 1))
    expect(await unit.answer()).toBe(acked(1))
    await change(imei, { status: 'disabled' })
    await unit.send(teltonika(imei, 2))
    expect(await unit.answersWithin(A_MOMENT_MS)).toEqual([])
    await change(imei, { status: 'active' })
    await unit.send(teltonika(imei, 3))
    expect(await unit.answer()).toBe(acked(3))
    await expectStored(imei, 1, 3)
  })

  it('are refused of a device with a secret, unless trackers may speak for it', async () => {
    const secured = testImei(imeis++)
    await register(secured, { secret: 'correct horse battery staple' })
    await unit.send(teltonika(secured, 1))
    expect(await unit.answersWithin(A_MOMENT_MS)).toEqual([])
    await change(secured, { trackerAllowed: true })
    await unit.send(teltonika(secured, 2))
    expect(await unit.answer()).toBe(acked(2))
    await expectStored(secured, 2)
  })

  it('of a device that only the registry knows are taken at its first word', async () => {
    const distant = testImei(imeis++)
    await running.app.get(DeviceRecords).insert(makeDevice({ deviceId: distant }))
    await unit.send(teltonika(distant, 1))
    expect(await unit.answer()).toBe(acked(1))
    await expectStored(distant, 1)
  })

  it('are kept while nobody can say whose they are, and stored once that can be asked', async () => {
    const distant = testImei(imeis++)
    const records = running.app.get(DeviceRecords)
    await records.insert(makeDevice({ deviceId: distant }))
    const find = jest.spyOn(records, 'find').mockRejectedValue(new AppError('store_unavailable'))
    await unit.send(teltonika(distant, 1))
    expect(await unit.answersWithin(A_MOMENT_MS)).toEqual([])
    find.mockRestore()
    await expectStored(distant, 1)
    // As long as it is not removed what comes goes behind it, unanswered, and is sent again.
    const answers = await eventually(
      async () => {
        await unit.send(teltonika(distant, 1))
        return unit.answersWithin(A_MOMENT_MS)
      },
      ({ length }) => length > 0,
    )
    expect(answers).toEqual([acked(1)])
    await expectStored(distant, 1)
  })

  it('are not answered while the store is away, are stored once it is back, and answered when they are repeated', async () => {
    store.fail(new AppError('store_unavailable'))
    await unit.send(teltonika(imei, 1), teltonika(imei, 2))
    expect(await unit.answersWithin(1500)).toEqual([])
    expect(await deviceOf(imei)).toMatchObject({ online: true, transport: 'udp' })
    store.recover()
    await expectStored(imei, 1, 2)
    const repeat = async () => {
      await unit.send(teltonika(imei, 1))
      return unit.answersWithin(A_MOMENT_MS)
    }
    expect((await eventually(repeat, ({ length }) => length > 0))[0]).toBe(acked(1))
    await expectStored(imei, 1, 2)
  })

  it('of thousands of strangers neither keep a known device waiting nor the registry busy', async () => {
    const records = running.app.get(DeviceRecords)
    const asked = [jest.spyOn(records, 'find'), jest.spyOn(records, 'isKnownAddress')]
    const startedMs = performance.now()
    let slowestMs = 0
    for (let round = 0; round < 40; round++) {
      const strangers = Array.from({ length: 100 }, (_, i) =>
        teltonika(String(900_000_000_000_000 + round * 100 + i), 1),
      )
      await unit.send(...strangers)
      const sentMs = performance.now()
      const known = await openUnit('teltonika')
      await known.send(teltonika(imei, round))
      expect(await known.answer()).toBe(acked(round))
      slowestMs = Math.max(slowestMs, performance.now() - sentMs)
    }
    const seconds = (performance.now() - startedMs) / 1000
    const questions = asked.reduce((sum, { mock }) => sum + mock.calls.length, 0)
    expect(questions).toBeLessThanOrEqual(2 * 500 * Math.ceil(seconds + 1))
    expect(slowestMs).toBeLessThan(3000)
    expect(await unit.answersWithin(A_MOMENT_MS)).toEqual([])
    expect((await running.api.get('/api/v1/devices/900000000000000', running.admin)).status).toBe(404)
  })
})

describe('datagrams of Queclink units', () => {
  let imeis = 400
  let imei: string
  let unit: DatagramUnit

  beforeAll(() => start())
  beforeEach(async () => {
    imei = testImei(imeis++)
    unit = await openUnit('queclink')
  })
  afterEach(closeUnits)
  afterAll(stop)

  it('are stored without an answer, unless acknowledgements are switched on for the device', async () => {
    await unit.send(report(imei, 1))
    expect(await unit.answersWithin(A_MOMENT_MS)).toEqual([])
    await expectStored(imei, 1)
    await change(imei, { trackerSack: true })
    await unit.send(report(imei, 2))
    expect(textOf(await unit.answer())).toBe('+SACK:0002$')
    await expectStored(imei, 1, 2)
  })

  it('of several messages are taken one by one, and one that was cut does not wait for the next', async () => {
    await register(imei)
    await change(imei, { trackerSack: true })
    await unit.send(Buffer.concat([report(imei, 1), report(imei, 2), report(imei, 3).subarray(0, 60)]))
    await unit.send(Buffer.concat([report(imei, 3).subarray(60), report(imei, 4)]))
    const answers = [await unit.answer(), await unit.answer(), await unit.answer()].map(textOf)
    expect(answers).toEqual(['+SACK:0001$', '+SACK:0002$', '+SACK:0004$'])
    expect(await unit.answersWithin(A_MOMENT_MS)).toEqual([])
    await expectStored(imei, 1, 2, 4)
  })

  it('that are heartbeats are answered each to its own address', async () => {
    const elsewhere = await openUnit('queclink')
    await Promise.all([unit.send(encodeHeartbeat(imei, 0, 1)), elsewhere.send(encodeHeartbeat(imei, 0, 2))])
    expect(textOf(await unit.answer())).toBe('+SACK:GTHBD,060100,0001$')
    expect(textOf(await elsewhere.answer())).toBe('+SACK:GTHBD,060100,0002$')
  })

  it('are not lost when the store is away and nobody sends them again', async () => {
    store.fail(new AppError('store_unavailable'))
    for (let n = 1; n <= 20; n++) await unit.send(report(imei, n))
    await sleep(1500)
    store.recover()
    await expectStored(imei, ...Array.from({ length: 20 }, (_, i) => i + 1))
  })

  it('are where commands go, to where the last one came from, and bring their answers', async () => {
    await register(imei)
    await change(imei, { commandPassword: 'gv300' })
    await unit.send(report(imei, 1))
    const elsewhere = await openUnit('queclink')
    await expectStored(imei, 1)
    await elsewhere.send(report(imei, 2))
    await expectStored(imei, 1, 2)
    expect(await deviceOf(imei)).toMatchObject({ online: true, transport: 'udp' })
    const id = await wantReboot(imei)
    const command = textOf(await elsewhere.answer())
    expect(command).toMatch(/^AT\+GTRTO=gv300,3,/)
    const serial = command.slice(-5, -1)
    await elsewhere.send(encodeAck(imei, { isTaken: true, type: 'GTRTO', serial }, Date.now(), 3))
    const ended = await eventually(
      () => commandOf(id),
      ({ status }) => status !== 'queued' && status !== 'sent',
    )
    expect(ended.status).toBe('done')
    expect(await unit.answersWithin(A_MOMENT_MS)).toEqual([])
  })

  it('bring no more commands once the device is disabled', async () => {
    const openLinks = () => metricSum(running, 'milepost_links_open', /transport="udp"/)
    const before = await openLinks()
    await unit.send(report(imei, 1))
    await eventually(openLinks, (open) => open === before + 1)
    await change(imei, { status: 'disabled' })
    expect(await openLinks()).toBe(before)
    await unit.send(report(imei, 2))
    expect(await unit.answersWithin(A_MOMENT_MS)).toEqual([])
    await expectStored(imei, 1)
  })
})

describe('datagrams of Ruptela units', () => {
  beforeAll(() => start({ DEVICE_ENROLMENT: 'registered' }))
  afterEach(closeUnits)
  afterAll(stop)

  it('are answered frame by frame, and up to the first that is damaged', async () => {
    const imei = testImei(700)
    await register(imei)
    const unit = await openUnit('ruptela')
    const frames = [1, 2, 3].map((n) => encodeRecordsFrame(imei, true, [sentRecord(n)]))
    const damaged = Buffer.concat(frames.slice(1))
    damaged[(frames[1]?.length ?? 0) + 25] = 0xff
    await unit.send(frames[0] ?? '', damaged)
    expect([await unit.answer(), await unit.answer()]).toEqual(['0002640113bc', '0002640113bc'])
    expect(await unit.answersWithin(A_MOMENT_MS)).toEqual([])
    await expectStored(imei, 1, 2)
  })

  it('that identify a device which is not known are not answered, whatever address they claim', async () => {
    const unit = await openUnit('ruptela')
    const identification = framesOf('ruptela').find(({ id }) => id === 'rup-ident-0f-es04')
    await unit.send(identification?.hex ?? '')
    expect(await unit.answersWithin(A_MOMENT_MS)).toEqual([])
    expect(await metricSum(running, 'milepost_tracker_frames_total', /protocol="ruptela",kind="login"/)).toBe(1)
  })
})

describe('ports of trackers', () => {
  it('are the same for connections and datagrams, and free again when the server has stopped', async () => {
    const port = await freePort()
    for (let i = 0; i < 2; i++) {
      await start({ TRACKER_TELTONIKA_PORT: String(port) })
      const imei = testImei(800)
      const overTcp = await TrackerUnit.connect(port)
      overTcp.send(encodeLogin(imei))
      expect(await overTcp.answer(1)).toBe('01')
      const overUdp = await DatagramUnit.open(port)
      units.push(overUdp)
      await overUdp.send(teltonika(imei, i))
      expect(await overUdp.answer()).toBe(acked(i))
      overTcp.close()
      await stop()
    }
  })

  it('take no datagrams where the protocol has none', async () => {
    await start()
    if (GALILEOSKY === undefined) throw new Error('no such codec')
    await expect(running.app.get(Trackers).listenForDatagrams(GALILEOSKY, 0)).rejects.toThrow(
      'Galileosky has no datagrams',
    )
    expect([TELTONIKA, QUECLINK, RUPTELA].map((codec) => codec?.decodeDatagram !== undefined)).toEqual([
      true,
      true,
      true,
    ])
    await stop()
  })
})

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { CRC16_MODBUS } from '../src/codecs/crc16.js'
import { encodeTagPacket } from '../src/codecs/galileosky/encode-records.js'
import { encodeHeartbeat } from '../src/codecs/queclink/encode-report.js'
import { encodeUnitFrame } from '../src/codecs/ruptela/encode-records.js'
import { AppError } from '../src/model/app-error.js'
import { FaultyPositionStore } from './stores/faulty-position-store.js'
import { testImei } from './support/api.js'
import { metricSum } from './support/metric-sum.js'
import { ServerProcess } from './support/server-process.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { addTracker, startTrackerApp, storedTimes, type TrackerApp } from './support/tracker-app.js'
import {
  type Exchange,
  QUECLINK_UNITS,
  RUPTELA_UNITS,
  sentRecord,
  sentRecords,
  TELTONIKA_UNITS,
  TRACKER_BRANDS,
  type TrackerBrand,
} from './support/tracker-brand.js'
import { freeTrackerPorts } from './support/tracker-ports.js'
import { TrackerUnit } from './support/tracker-unit.js'

const IMEI = testImei(1)
const BRANDS = TRACKER_BRANDS.map((brand) => [brand.protocol, brand] as const)
/** Limits are looked at every second; a busy machine takes another. */
const LOOK_MS = 2500
const MEBIBYTE = 1_048_576
/** Answers that wait in the server for a sender who does not read them. */
const MOST_UNREAD_BYTES = 65_536

/** What brings nothing to store, about as long as a brand lets it be: few messages are many bytes. */
const LONG_MESSAGES: Readonly<Record<string, (imei: string) => Exchange>> = {
  teltonika: () => ({ bytes: Buffer.alloc(1000, 0xff), answer: '' }),
  queclink: (imei) => {
    const { bytes, answer } = QUECLINK_UNITS.sign(imei)
    return { bytes: Buffer.from(bytes.toString('latin1').replace(',,', `,${'n'.repeat(8000)},`)), answer }
  },
  ruptela: (imei) => ({ ...RUPTELA_UNITS.sign(imei), bytes: encodeUnitFrame(imei, 0x10, Buffer.alloc(1000)) }),
  // For a display in the truck.
  galileosky: () => {
    const packet = encodeTagPacket(Buffer.alloc(1000))
    packet.writeUInt8(0x06, 0)
    packet.writeUInt16LE(CRC16_MODBUS(packet, 0, packet.length - 2), packet.length - 2)
    return { bytes: packet, answer: '' }
  },
}

/** How the longest frame of a brand begins, and what may go on for ever behind that. */
const LONGEST: Readonly<Record<string, { readonly head: string; readonly fill: number }>> = {
  teltonika: { head: '0000000000002000', fill: 0 },
  queclink: { head: Buffer.from('+RESP:GTFRI,060100,').toString('hex'), fill: 0x78 },
  ruptela: { head: '03fc', fill: 0 },
  // An envelope of a satellite modem: its header, and content.
  galileosky: { head: `01080001001c${'00'.repeat(28)}0207de`, fill: 0 },
}

let running: TrackerApp
const units: TrackerUnit[] = []

afterEach(async () => {
  for (const unit of units.splice(0)) unit.close()
  await running.close()
})
afterAll(removeTemporaryDirectories)

async function connect(protocol: string): Promise<TrackerUnit> {
  const unit = await TrackerUnit.connect(running.portOf(protocol))
  units.push(unit)
  return unit
}

async function exchange(unit: TrackerUnit, { bytes, answer }: Exchange): Promise<void> {
  unit.send(bytes)
  expect(await unit.answer(answer.length / 2)).toBe(answer)
}

async function arrive(brand: TrackerBrand, imei = IMEI): Promise<TrackerUnit> {
  const unit = await connect(brand.protocol)
  const hello = brand.hello(imei)
  if (hello !== undefined) await exchange(unit, hello)
  return unit
}

function longMessage({ protocol }: TrackerBrand, imei = IMEI): Exchange {
  const make = LONG_MESSAGES[protocol]
  if (make === undefined) throw new Error(`no long message of ${protocol}`)
  return make(imei)
}

/** The longest frame but for its last byte. */
function longestBeginning({ protocol, codec }: TrackerBrand): Buffer {
  const { head, fill } = LONGEST[protocol] ?? {}
  if (head === undefined) throw new Error(`no frame of ${protocol}`)
  const beginning = Buffer.alloc(codec.maxFrameBytes - 1, fill)
  beginning.write(head, 'hex')
  return beginning
}

/** The server's side of the next connection. */
function nextServerSide(): Promise<Socket> {
  return new Promise((resolve) => {
    const take = (message: unknown) => {
      unsubscribe('net.server.socket', take)
      resolve((message as { readonly socket: Socket }).socket)
    }
    subscribe('net.server.socket', take)
  })
}

const one = (brand: TrackerBrand, n: number) => brand.records(IMEI, [sentRecord(n)], n)
const timesOf = (count: number, from = 0) => sentRecords(from, count).map(({ timeMs }) => timeMs)
const endsBy = (reason: string) =>
  metricSum(running, 'milepost_tracker_connections_ended_total', new RegExp(`"${reason}"`))

/** A server that knows the unit, on a store that fails when it is told to. */
async function startOnFaultyStore(): Promise<FaultyPositionStore> {
  let store: FaultyPositionStore | undefined
  running = await startTrackerApp({}, (inner) => {
    store = new FaultyPositionStore(inner)
    return store
  })
  await addTracker(running, IMEI)
  if (store === undefined) throw new Error('the server did not ask for its store')
  return store
}

describe.each(BRANDS)('limits of connections of %s', (protocol, brand) => {
  it('7: one byte now and then, never completing: closed by the limit of a frame, though it was never idle', async () => {
    running = await startTrackerApp({ TRACKER_FRAME_TIMEOUT_S: '2' })
    await addTracker(running, IMEI)
    const unit = await arrive(brand)
    await exchange(unit, one(brand, 0))
    const { bytes } = one(brand, 1)
    const startedMs = performance.now()
    for (let at = 0; !unit.isEnded && at < bytes.length - 1; at++) {
      unit.send(bytes.subarray(at, at + 1))
      await sleep(300)
    }
    expect(unit.isEnded).toBe(true)
    expect(performance.now() - startedMs).toBeGreaterThan(1900)
    expect(performance.now() - startedMs).toBeLessThan(2000 + LOOK_MS)
    expect(unit.received).toBe('')
    expect([await endsBy('frame_timeout'), await storedTimes(running, IMEI)]).toEqual([1, timesOf(1)])
  })

  it('8: a connection that says nothing: closed after the limit of login', async () => {
    running = await startTrackerApp({ TRACKER_LOGIN_TIMEOUT_S: '1' })
    const startedMs = performance.now()
    const unit = await connect(protocol)
    expect(await unit.ended()).toBe('')
    expect(performance.now() - startedMs).toBeGreaterThan(900)
    expect(performance.now() - startedMs).toBeLessThan(1000 + LOOK_MS)
    expect(await endsBy('login_timeout')).toBe(1)
  })

  it('a unit that said hello and then nothing: closed after the limit of silence', async () => {
    running = await startTrackerApp({ TRACKER_IDLE_TIMEOUT_S: '1', TRACKER_LOGIN_TIMEOUT_S: '60' })
    await addTracker(running, IMEI)
    const unit = await arrive(brand)
    await exchange(unit, one(brand, 0))
    expect(await unit.ended()).toBe('')
    expect(await endsBy('idle_timeout')).toBe(1)
  })

  it('20: a store that stalls: no answer, then all of them in order, and everything stored once', async () => {
    const store = await startOnFaultyStore()
    const unit = await arrive(brand)
    await exchange(unit, one(brand, 0))
    store.stall()
    const frames = Array.from({ length: 20 }, (_, i) => one(brand, i + 1))
    for (const { bytes } of frames) unit.send(bytes)
    await sleep(300)
    expect([unit.received, unit.isEnded]).toEqual(['', false])
    store.recover()
    const answers = frames.map(({ answer }) => answer).join('')
    expect(await unit.answer(answers.length / 2)).toBe(answers)
    expect(await storedTimes(running, IMEI)).toEqual(timesOf(21))
  })

  it('20: a store that fails: no answer until it takes them, and everything stored once', async () => {
    const store = await startOnFaultyStore()
    const unit = await arrive(brand)
    store.fail(new AppError('store_unavailable', 'the disk is gone', { retryAfterMs: 100 }))
    const frames = Array.from({ length: 5 }, (_, i) => one(brand, i))
    for (const { bytes } of frames) unit.send(bytes)
    await sleep(500)
    expect([unit.received, unit.isEnded, await storedTimes(running, IMEI)]).toEqual(['', false, []])
    store.recover()
    const answers = frames.map(({ answer }) => answer).join('')
    expect(await unit.answer(answers.length / 2)).toBe(answers)
    expect(await storedTimes(running, IMEI)).toEqual(timesOf(5))
  })

  it('11: a reset between storing and answering: the repeat is answered, and not stored twice', async () => {
    const store = await startOnFaultyStore()
    const unit = await arrive(brand)
    await exchange(unit, one(brand, 0))
    store.stall()
    unit.send(one(brand, 1).bytes)
    await sleep(200)
    unit.reset()
    store.recover()
    for (let tries = 0; (await storedTimes(running, IMEI)).length < 2; tries++) {
      if (tries > 200) throw new Error('what was under way is not stored')
      await sleep(20)
    }
    await exchange(await arrive(brand), one(brand, 1))
    expect(await storedTimes(running, IMEI)).toEqual(timesOf(2))
  })

  it('20: while the store stalls a socket is not read, so that the sender cannot go on for ever', async () => {
    const store = await startOnFaultyStore()
    const unit = await arrive(brand)
    const long = longMessage(brand)
    const times = Math.ceil(MEBIBYTE / long.bytes.length)
    const messages = Buffer.concat(Array.from({ length: times }, () => long.bytes))
    let answers = one(brand, 0).answer
    let sent = 0
    store.stall()
    unit.send(one(brand, 0).bytes)
    for (let still = 0, unsent = 0; still < 10 && sent < 256 * MEBIBYTE; ) {
      if (unit.unsent === 0) {
        unit.send(messages)
        sent += messages.length
        answers += long.answer.repeat(times)
      }
      await sleep(20)
      still = unit.unsent === unsent && unsent > 0 ? still + 1 : 0
      unsent = unit.unsent
    }
    // What the buffers of the system hold, on both sides.
    expect(sent).toBeLessThan(64 * MEBIBYTE)
    expect(unit.received).toBe('')
    store.recover()
    unit.send(one(brand, 1).bytes)
    answers += one(brand, 1).answer
    expect(await unit.answer(answers.length / 2)).toBe(answers)
    expect(await storedTimes(running, IMEI)).toEqual(timesOf(2))
  }, 60_000)

  it('10: a sender that never reads its answers is cut before they pile up', async () => {
    running = await startTrackerApp()
    await addTracker(running, IMEI)
    const serverSide = nextServerSide()
    const unit = await arrive(brand)
    unit.stopReading()
    // The system would take megabytes of answers first, each of a few bytes.
    ;(await serverSide).cork()
    const framesBefore = await metricSum(running, 'milepost_tracker_frames_total')
    const { bytes, answer } = brand.sign(IMEI)
    const signs = Buffer.concat(Array.from({ length: 2000 }, () => bytes))
    for (let sent = 0; !unit.isEnded && sent < 16 * MEBIBYTE; sent += signs.length) {
      unit.send(signs)
      while (!unit.isEnded && unit.unsent > 0) await sleep(5)
    }
    expect(unit.isEnded).toBe(true)
    expect(await endsBy('unanswered')).toBe(1)
    const frames = (await metricSum(running, 'milepost_tracker_frames_total')) - framesBefore
    expect(frames).toBe(Math.floor(MOST_UNREAD_BYTES / (answer.length / 2)) + 1)
    await exchange(await arrive(brand), one(brand, 0))
  })
})

describe('back-pressure', () => {
  it('10: a sender that never reads its answers is cut also when the system has taken megabytes of them', async () => {
    running = await startTrackerApp()
    await addTracker(running, IMEI)
    const unit = await connect('queclink')
    unit.stopReading()
    const heartbeats = Buffer.concat(Array.from({ length: 2000 }, () => encodeHeartbeat(IMEI, Date.now(), 1)))
    let sent = 0
    while (!unit.isEnded && sent < 256 * MEBIBYTE) {
      if (unit.unsent === 0) {
        unit.send(heartbeats)
        sent += heartbeats.length
      }
      await sleep(5)
    }
    expect(unit.isEnded).toBe(true)
    expect(await endsBy('unanswered')).toBe(1)
    const witness = await arrive(TELTONIKA_UNITS)
    await exchange(witness, one(TELTONIKA_UNITS, 0))
  }, 60_000)
})

describe('places for connections', () => {
  it('are so many in all, whatever the brand: one more is closed at once, and counted', async () => {
    running = await startTrackerApp({ TRACKER_CONNECTIONS: '4' })
    await addTracker(running, IMEI)
    for (const [, brand] of BRANDS) await arrive(brand)
    const refused = () => metricSum(running, 'milepost_refusals_total', /ingress="tcp",code="overloaded"/)
    expect(await refused()).toBe(0)
    const surplus = await connect('teltonika')
    expect(await surplus.ended()).toBe('')
    expect(await refused()).toBe(1)
    units[0]?.close()
    await sleep(200)
    await exchange(await arrive(TELTONIKA_UNITS), one(TELTONIKA_UNITS, 0))
  })

  it('are so many for one address', async () => {
    running = await startTrackerApp({ TRACKER_CONNECTIONS_PER_ADDRESS: '2' })
    await addTracker(running, IMEI)
    for (const [, brand] of BRANDS.slice(0, 2)) await arrive(brand)
    expect(await (await connect('ruptela')).ended()).toBe('')
  })
})

describe('memory', () => {
  const CONNECTIONS_EACH = 250
  const CONNECTIONS = CONNECTIONS_EACH * BRANDS.length
  /** Of other things, before the half frame. */
  const BEFORE_BYTES = 200_000
  /** What a connection costs besides its bytes: the socket, its handle, this server's own. */
  const EACH_BYTES = 16_384
  /** What a server takes for other things meanwhile, what is not collected yet included; all that came is more than that. */
  const REST_BYTES = 80 * MEBIBYTE

  it('9: is bounded with 250 connections of each brand that hold half a frame each, however much came before it', async () => {
    running = await startTrackerApp()
    const ports = await freeTrackerPorts()
    const server = new ServerProcess({ DATA_DIR: temporaryDirectory(), DEVICE_ENROLMENT: 'open', ...ports })
    await server.start()
    const connectTo = async ({ protocol }: TrackerBrand): Promise<TrackerUnit> => {
      const name = `TRACKER_${protocol.toUpperCase()}_PORT` as keyof typeof ports
      const unit = await TrackerUnit.connect(Number(ports[name]))
      units.push(unit)
      return unit
    }
    try {
      /** All say so much, are answered, and go on with this; without it they leave, fifty at a time. */
      const connectAll = async (goOn?: (brand: TrackerBrand) => Buffer): Promise<TrackerUnit[]> => {
        const staying: TrackerUnit[] = []
        for (const [nth, [, brand]] of BRANDS.entries()) {
          const imei = testImei(2 + nth)
          const [hello, long] = [brand.hello(imei), longMessage(brand, imei)]
          const times = Math.ceil(BEFORE_BYTES / long.bytes.length)
          const longs = Array.from({ length: times }, () => long)
          const said = [...(hello === undefined ? [] : [hello]), ...longs, brand.sign(imei)]
          const bytes = Buffer.concat([...said.map((message) => message.bytes), goOn?.(brand) ?? Buffer.alloc(0)])
          const answers = said.map(({ answer }) => answer).join('')
          for (let n = 0; n < CONNECTIONS_EACH; n += 50) {
            const some = await Promise.all(Array.from({ length: 50 }, () => connectTo(brand)))
            for (const unit of some) unit.send(bytes)
            for (const unit of some) expect(await unit.answer(answers.length / 2)).toBe(answers)
            if (goOn === undefined) for (const unit of some) unit.close()
            else staying.push(...some)
          }
        }
        await sleep(1000)
        return staying
      }
      // What is not collected yet of all that came is there before and after; what connections hold is there only after.
      await connectAll()
      const before = residentBytes(server.pid)
      const holding = await connectAll(longestBeginning)
      const grown = residentBytes(server.pid) - before
      process.stdout.write(`1,000 halves of frames: ${(grown / MEBIBYTE).toFixed(0)} MiB more\n`)
      expect(holding.length).toBe(CONNECTIONS)
      expect(holding.filter(({ isEnded }) => isEnded).length).toBe(0)
      const halves = BRANDS.reduce((sum, [, { codec }]) => sum + CONNECTIONS_EACH * codec.maxFrameBytes, 0)
      expect(grown).toBeLessThan(halves + CONNECTIONS * EACH_BYTES + REST_BYTES)
      const witness = await connectTo(TELTONIKA_UNITS)
      const hello = TELTONIKA_UNITS.hello(IMEI) ?? { bytes: Buffer.alloc(0), answer: '' }
      await exchange(witness, hello)
      await exchange(witness, one(TELTONIKA_UNITS, 0))
    } finally {
      await server.kill()
    }
  }, 120_000)
})

function residentBytes(pid: number): number {
  const kibibytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kibibytes) * 1024
}

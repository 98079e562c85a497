import { MemoryRawFrameStore } from '../../test/stores/memory-raw-frame-store.js'
import { sentRecord } from '../../test/support/tracker-brand.js'
import { DecodeError } from '../codecs/decode-error.js'
import { encodeLogin, encodeRecordsDatagram, encodeRecordsPacket } from '../codecs/teltonika/encode-records.js'
import { TELTONIKA } from '../codecs/teltonika/teltonika-codec.js'
import type { TrackerCodec } from '../codecs/tracker-codec.js'
import { AppError } from '../model/app-error.js'
import type { Delivery } from '../model/delivery.js'
import type { RawFrame } from '../storage/frames/raw-frame-store.js'
import { FramesReplay } from './frames-replay.js'

const IMEI = '356307042441013'
const IDS = { packetId: 1, avlPacketId: 2 }
const NOT_STOPPED = new AbortController().signal
const BEGAN_MS = Date.UTC(2026, 10, 22)

const record = (n: number) => sentRecord(n, { timeMs: BEGAN_MS + n * 1000 })

const packet = (n: number) => encodeRecordsPacket('8', [record(n)])

describe('replay of frames', () => {
  let store: MemoryRawFrameStore
  let deliveries: Delivery[]
  let nextMs: number

  beforeEach(() => {
    store = new MemoryRawFrameStore()
    deliveries = []
    nextMs = BEGAN_MS
  })

  const keep = (bytes: Uint8Array, changes: Partial<RawFrame> = {}) =>
    store.keep([
      {
        deviceId: IMEI,
        atMs: nextMs++,
        direction: 'in',
        protocol: 'teltonika',
        link: 'tcp:127.0.0.1:5#1',
        bytes,
        ...changes,
      },
    ])

  async function settle(delivery: Delivery) {
    deliveries.push(delivery)
    return { newRecords: delivery.records.length, knownRecords: 0, refused: [], newAlarms: 0, knownAlarms: 0 }
  }

  async function run(range: { fromMs?: number; toMs?: number } = {}): Promise<FramesReplay> {
    const replay = new FramesReplay(store, settle)
    await replay.run({ deviceId: IMEI, ...range }, NOT_STOPPED)
    return replay
  }

  const timesOf = () => deliveries.map(({ records }) => ((records[0]?.position?.timeMs ?? 0) - BEGAN_MS) / 1000)

  it('takes what came in, oldest first, over many pages, as of the time that it came', async () => {
    await keep(encodeLogin(IMEI))
    await keep(Buffer.of(1), { direction: 'out' })
    for (let n = 0; n < 450; n++) await keep(packet(n))
    const { summary } = await run()
    expect(timesOf()).toEqual(Array.from({ length: 450 }, (_, n) => n))
    expect(summary).toMatchObject({ frames: 451, newRecords: 450, doneMs: BEGAN_MS + 451 })
    expect(deliveries[0]).toMatchObject({ deviceId: IMEI, ingress: 'tcp', receivedAtMs: BEGAN_MS + 2 })
  })

  it('goes on behind a page that ended by its bytes', async () => {
    for (let n = 0; n < 20; n++) await keep(Buffer.alloc(65_536, 1))
    await keep(packet(7))
    const { summary } = await run()
    expect([summary.frames, timesOf()]).toEqual([21, [7]])
  })

  it('reads datagrams as datagrams', async () => {
    await keep(encodeRecordsDatagram(IMEI, IDS, '8', [record(7)]), { link: 'udp:127.0.0.1:5' })
    await run()
    expect(deliveries.map(({ ingress }) => ingress)).toEqual(['udp'])
    expect(timesOf()).toEqual([7])
  })

  it('counts what cannot be read, by the reason, and goes on', async () => {
    const spoiled = packet(0)
    spoiled[20] = (spoiled[20] ?? 0) ^ 1
    await keep(spoiled)
    await keep(Buffer.from('rubbish'))
    await keep(packet(1))
    const { summary } = await run()
    expect(timesOf()).toEqual([1])
    const counts = [...summary.unreadable.values()].reduce((sum, one) => sum + one, 0)
    expect([summary.unreadable.get('bad_checksum'), counts]).toEqual([1, 2])
  })

  it('stores what the codec of today reads and that of then could not', async () => {
    const older: TrackerCodec = {
      ...TELTONIKA,
      decode: () => {
        throw new DecodeError('unknown_format', 'not known yet')
      },
    }
    await keep(packet(1))
    const then = new FramesReplay(store, settle, [older])
    await then.run({ deviceId: IMEI }, NOT_STOPPED)
    expect([then.summary.unreadable.get('unknown_format'), deliveries.length]).toEqual([1, 0])
    expect((await run()).summary.newRecords).toBe(1)
  })

  it('leaves out what names another device, and messages of sockets', async () => {
    await keep(encodeLogin('352093086403655'))
    await keep(Buffer.from('{"event":"location"}'), { protocol: 'socket', link: 'socket#1' })
    await keep(encodeRecordsDatagram('352093086403655', IDS, '8', [record(7)]), { link: 'udp:127.0.0.1:5' })
    const { summary } = await run()
    expect([deliveries.length, summary.otherDevices, summary.otherFrames]).toEqual([0, 2, 1])
  })

  it('stops when it is told to, after the frame at hand, and can be gone on with', async () => {
    for (let n = 0; n < 5; n++) await keep(packet(n))
    const stopping = new AbortController()
    const replay = new FramesReplay(store, settle)
    await replay.run({ deviceId: IMEI }, stopping.signal, () => {
      if (replay.summary.frames === 2) stopping.abort()
    })
    expect(timesOf()).toEqual([0, 1])
    expect(replay.summary.doneMs).toBe(BEGAN_MS + 1)
    await run({ fromMs: replay.summary.doneMs })
    expect(timesOf()).toEqual([0, 1, 1, 2, 3, 4])
  })

  it('waits for a store that is away for a moment', async () => {
    await keep(packet(0))
    let failures = 2
    const replay = new FramesReplay(store, async (delivery) => {
      if (failures-- > 0) throw new AppError('store_unavailable', 'away', { retryAfterMs: 1 })
      return settle(delivery)
    })
    await replay.run({ deviceId: IMEI }, NOT_STOPPED)
    expect(replay.summary.newRecords).toBe(1)
  })

  it('gives up when a store stays away, and says what was done', async () => {
    for (let n = 0; n < 3; n++) await keep(packet(n))
    const replay = new FramesReplay(
      store,
      async (delivery) => {
        if (deliveries.length === 2) throw new AppError('store_unavailable', 'away', { retryAfterMs: 1 })
        return settle(delivery)
      },
      [TELTONIKA],
      20,
    )
    await expect(replay.run({ deviceId: IMEI }, NOT_STOPPED)).rejects.toMatchObject({ code: 'store_unavailable' })
    expect(replay.summary.doneMs).toBe(BEGAN_MS + 1)
  })
})

import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import mongoose from 'mongoose'
import { describeOn } from '../../../test/stores/describe-on.js'
import { numberedPositions } from '../../../test/stores/numbered-positions.js'
import { type Made, makeMongoDatabase } from '../../../test/stores/test-servers.js'
import { openMongoConnection } from '../mongo-connection.js'
import { momentKey } from './mongo-position-key.js'
import { openMongoPositions } from './mongo-position-store.js'
import { NOON_MS, samplePosition, sampleTrack, wholeTrack } from './position-samples.contract.js'
import type { PositionStore } from './position-store.js'

/** A store that knows its server to be away refuses at once: who only asked again would never let the timers and sockets have their turn. */
async function refused(): Promise<undefined> {
  await sleep(5)
}

/** Stands between a store and its server. */
class SpoiledWire {
  private readonly sockets = new Set<Socket>()
  private server: Server | undefined
  private isSilent = false
  port = 0

  constructor(private readonly target: { readonly host: string; readonly port: number }) {}

  async open(): Promise<void> {
    const server = createServer((near) => {
      const far = connect(this.target)
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.sockets.add(from)
        from.on('data', (bytes) => {
          if (!this.isSilent) to.write(bytes)
        })
        from.on('error', () => {})
        from.on('close', () => {
          this.sockets.delete(from)
          to.destroy()
        })
      }
    })
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve))
    const address = server.address()
    this.port = typeof address === 'object' && address ? address.port : 0
    this.server = server
  }

  /** Nothing goes through any more, and nobody is told. */
  silence(): void {
    this.isSilent = true
  }

  /** Cuts what is open and lets nothing in. */
  async cut(): Promise<void> {
    const closed = new Promise((resolve) => this.server?.close(resolve))
    for (const socket of this.sockets) socket.destroy()
    await closed
  }

  async bringBack(): Promise<void> {
    if (this.isSilent) await this.cut()
    this.isSilent = false
    await this.open()
  }
}

describeOn('MONGO_URL', 'positions in MongoDB over a network that fails', () => {
  let made: Made
  let wire: SpoiledWire
  let store: PositionStore
  let direct: PositionStore
  let raw: mongoose.mongo.MongoClient

  beforeEach(async () => {
    made = await makeMongoDatabase()
    const url = made.variables.MONGO_URL ?? ''
    const [, host = '', port = ''] = /@?([\w.-]+):(\d+)\//.exec(url.replace('mongodb://', '@')) ?? []
    wire = new SpoiledWire({ host, port: Number(port) })
    await wire.open()
    const spoiled = url.replace(`${host}:${port}`, `127.0.0.1:${wire.port}`)
    store = await openMongoPositions(await openMongoConnection({ url: spoiled }))
    direct = await openMongoPositions(await openMongoConnection({ url }))
    raw = await mongoose.mongo.MongoClient.connect(url)
  })

  afterEach(async () => {
    await Promise.all([store.close(), direct.close(), raw.close()])
    await wire.cut()
    await made.remove()
  })

  const expectRefusedInTime = async (call: () => Promise<unknown>) => {
    const startMs = performance.now()
    await expect(call()).rejects.toMatchObject({ code: 'store_unavailable', retryAfterMs: 2000 })
    expect(performance.now() - startMs).toBeLessThan(9000)
  }

  it.each([
    ['is cut', () => wire.cut()],
    ['is silent', () => wire.silence()],
  ])(
    'refuses every call in time while it %s, and goes on without a restart',
    async (_, spoil) => {
      await store.append(sampleTrack('truck-1', 10))
      await spoil()
      await Promise.all([
        expectRefusedInTime(() => store.append(sampleTrack('truck-1', 20))),
        expectRefusedInTime(() => store.append(sampleTrack('truck-2', 20))),
        expectRefusedInTime(() => store.findLatest('truck-1')),
        expectRefusedInTime(() => wholeTrack(store, 'truck-1')),
        expectRefusedInTime(() => store.measureDistance('truck-1', {})),
        expect(store.checkHealth()).rejects.toMatchObject({ code: 'store_unavailable' }),
      ])
      await wire.bringBack()
      const track = sampleTrack('truck-1', 30)
      const deadlineMs = performance.now() + 15_000
      let isNew: readonly boolean[] | undefined
      while (isNew === undefined && performance.now() < deadlineMs) {
        isNew = (await store.append(track).catch(refused))?.isNew
      }
      expect(isNew?.slice(20)).toEqual(Array(10).fill(true))
      expect(await wholeTrack(store, 'truck-1')).toEqual(track)
      expect(await store.findLatest('truck-1')).toEqual(track[29])
    },
    60_000,
  )

  it('loses nothing that was acknowledged and doubles nothing while it is cut again and again', async () => {
    const acknowledged: number[] = []
    let isOver = false
    const spoiling = (async () => {
      for (let n = 0; n < 4; n++) {
        await new Promise((resolve) => setTimeout(resolve, 400))
        await wire.cut()
        await wire.bringBack()
      }
      isOver = true
    })()
    for (let batch = 0; !isOver || acknowledged.length < 5; batch++) {
      await store.append(numberedPositions(batch)).then(() => acknowledged.push(batch), refused)
    }
    await spoiling
    const stored = new Map<string, number>()
    for (let n = 0; n < 40; n++) {
      for (const { deviceId, timeMs } of await wholeTrack(direct, `numbered-${n}`)) {
        const key = `${deviceId} ${timeMs}`
        stored.set(key, (stored.get(key) ?? 0) + 1)
      }
    }
    expect([...stored.values()].filter((count) => count !== 1)).toEqual([])
    const missing = acknowledged.flatMap((batch) =>
      numberedPositions(batch).filter(({ deviceId, timeMs }) => !stored.has(`${deviceId} ${timeMs}`)),
    )
    expect(missing).toEqual([])
  }, 90_000)

  describe('after a kill between a position and its place as the latest one', () => {
    const track = sampleTrack('truck-1', 3)

    /** What such a kill leaves: everything stored, the document of the device one fix behind. */
    beforeEach(async () => {
      await direct.append(track)
      const last = momentKey(NOON_MS + 1000, 0)
      await raw
        .db()
        .collection<{ _id: string }>('latest')
        .updateOne({ _id: 'truck-1' }, { $set: { k: last, la: 48.0001 } })
    })

    it('finds the latest one when somebody looks', async () => {
      expect(await store.findLatest('truck-1')).toEqual(track[2])
    })

    it('finds it when the unit repeats what was not acknowledged', async () => {
      expect(await direct.append(track)).toEqual({ isNew: [false, false, false], isLatest: [false, false, false] })
      const document = await raw.db().collection<{ _id: string }>('latest').findOne({ _id: 'truck-1' })
      expect(document).toEqual({ _id: 'truck-1', k: momentKey(NOON_MS + 2000, 0), la: 48.0002, lo: 11.576124 })
    })

    it('says of a late position that it is not the latest', async () => {
      const late = samplePosition({ timeMs: NOON_MS + 1500 })
      expect(await store.append([late])).toEqual({ isNew: [true], isLatest: [false] })
      expect(await store.findLatest('truck-1')).toEqual(track[2])
    })
  })

  it('moves the latest position only forward when two nodes race', async () => {
    const race = async (node: PositionStore, offset: number) => {
      let latest = 0
      for (let n = 0; n < 30; n++) {
        const timeMs = NOON_MS + ((n * 7 + offset) % 60) * 1000
        const { isLatest } = await node.append([samplePosition({ timeMs, discriminator: offset + n * 2 })])
        latest += isLatest.filter(Boolean).length
      }
      return latest
    }
    await Promise.all([race(store, 0), race(direct, 1)])
    const track = await wholeTrack(direct, 'truck-1')
    expect(track.length).toBe(60)
    const document = await raw.db().collection<{ _id: string; k: string }>('latest').findOne({ _id: 'truck-1' })
    const last = track.at(-1)
    expect(document?.k).toBe(momentKey(last?.timeMs ?? 0, last?.discriminator ?? 0))
  }, 60_000)
})

import { setTimeout as sleep } from 'node:timers/promises'
import mongoose from 'mongoose'
import { describeOn } from '../../../test/stores/describe-on.js'
import { FaultProxy } from '../../../test/stores/fault-proxy.js'
import { expectKeptThroughKills } from '../../../test/stores/frames-through-kills.js'
import { type Made, makeMongoDatabase } from '../../../test/stores/test-servers.js'
import { openMongoConnection } from '../mongo-connection.js'
import { openMongoRawFrames } from './mongo-raw-frame-store.js'
import { listAll, NOON_MS, numberedFrames, numberOf, sampleFrame } from './raw-frame-samples.contract.js'
import { rawFrameStoreContract } from './raw-frame-store.contract.js'
import type { RawFrameStore } from './raw-frame-store.js'

const MUCH = 2 ** 40

describeOn('MONGO_URL', 'raw frames in MongoDB', () => {
  rawFrameStoreContract('mongo', async () => {
    const made = await makeMongoDatabase()
    const url = made.variables.MONGO_URL ?? ''
    return {
      open: async (bound) => openMongoRawFrames(await openMongoConnection({ url }), bound),
      remove: () => made.remove(),
    }
  })

  describe('of several nodes', () => {
    let made: Made
    let nodes: RawFrameStore[]
    const url = () => made.variables.MONGO_URL ?? ''
    const open = async (mostBytes = MUCH, onGivenWay?: (frames: number) => void) => {
      const store = await openMongoRawFrames(await openMongoConnection({ url: url() }), { mostBytes, onGivenWay })
      nodes.push(store)
      return store
    }

    beforeEach(async () => {
      made = await makeMongoDatabase()
      nodes = []
    })
    afterEach(async () => {
      for (const node of nodes) await node.close()
      await made.remove()
    })

    it('are all kept, also those of one device and millisecond', async () => {
      const [one, other] = [await open(), await open()]
      const frames = (node: number) =>
        numberedFrames(500, (index) => ({ link: `node ${node}`, atMs: NOON_MS + (index >> 7) }))
      await Promise.all([one.keep(frames(1)), other.keep(frames(2)), one.keep(frames(3)), other.keep(frames(4))])
      const found = await listAll(other, { deviceId: 'truck-1', order: 'oldest' })
      expect(found.length).toBe(2000)
      for (const node of [1, 2, 3, 4]) {
        const numbers = found.filter(({ link }) => link === `node ${node}`).map(numberOf)
        expect(numbers).toEqual(Array.from({ length: 500 }, (_, index) => index))
      }
    })

    it('give way to each other', async () => {
      let givenWay = 0
      const count = (frames: number) => {
        givenWay += frames
      }
      const mostBytes = 4_194_304
      const [one, other] = [await open(mostBytes, count), await open(mostBytes, count)]
      const bytes = new Uint8Array(16_384)
      for (let hour = 0; hour < 8; hour++) {
        const frames = Array.from({ length: 50 }, () => sampleFrame({ atMs: NOON_MS + hour * 3_600_000, bytes }))
        await (hour % 2 === 0 ? one : other).keep(frames)
      }
      await one.removeOlderThan(0)
      await other.removeOlderThan(0)
      const left = await listAll(one, { deviceId: 'truck-1', order: 'oldest' })
      // 50 frames are some 829 kB: five hours of them are less than the bound, six are more.
      expect([left.length, left[0]?.atMs, givenWay]).toEqual([250, NOON_MS + 3 * 3_600_000, 150])
    })

    it('are removed whole: nothing of what is counted is left either', async () => {
      const store = await open()
      await store.keep(numberedFrames(2500, (index) => ({ atMs: NOON_MS + index * 1000 })))
      expect(await store.removeOlderThan(NOON_MS + 10_000_000)).toBe(2500)
      const raw = await mongoose.mongo.MongoClient.connect(url())
      try {
        const counts = await Promise.all(
          ['frames', 'frame_sizes'].map((name) => raw.db().collection(name).countDocuments()),
        )
        expect(counts).toEqual([0, 0])
      } finally {
        await raw.close()
      }
    })

    it('are refused in time while the server is silent, and kept again without a restart', async () => {
      const [, host = '', port = ''] = /\/\/(?:.*@)?([\w.-]+):(\d+)\//.exec(url()) ?? []
      const proxy = await FaultProxy.open({ host, port: Number(port) })
      try {
        const through = url().replace(`${host}:${port}`, `127.0.0.1:${proxy.port}`)
        const store = await openMongoRawFrames(await openMongoConnection({ url: through }), { mostBytes: MUCH })
        nodes.push(store)
        await store.keep([sampleFrame({ link: 'before' })])
        proxy.isBlackhole = true
        const startMs = performance.now()
        const refusal = { code: 'store_unavailable' }
        // In the background; it waits for a trim that is under way first.
        const removal = expect(store.removeOlderThan(0)).rejects.toMatchObject(refusal)
        await Promise.all([
          expect(store.keep([sampleFrame({ link: 'meanwhile' })])).rejects.toMatchObject(refusal),
          expect(store.list({ deviceId: 'truck-1', order: 'newest', limit: 1 })).rejects.toMatchObject(refusal),
          expect(store.eraseDevice('truck-2')).rejects.toMatchObject(refusal),
          expect(store.checkHealth()).rejects.toMatchObject(refusal),
        ])
        expect(performance.now() - startMs).toBeLessThan(9000)
        await removal
        proxy.isBlackhole = false
        let isKept = false
        while (!isKept && performance.now() - startMs < 30_000) {
          isKept = await store.keep([sampleFrame({ atMs: NOON_MS + 1, link: 'after' })]).then(
            () => true,
            () => sleep(5, false), // it may refuse at once
          )
        }
        const links = (await listAll(store, { deviceId: 'truck-1', order: 'oldest' })).map(({ link }) => link)
        expect([links[0], links.at(-1)]).toEqual(['before', 'after'])
      } finally {
        await Promise.all(nodes.splice(0).map((node) => node.close()))
        await proxy.close()
      }
    }, 60_000)

    it('are there after their process was killed', async () => {
      await expectKeptThroughKills(url(), () => open())
    }, 120_000)
  })
})

import mongoose from 'mongoose'
import { describeOn } from '../../../test/stores/describe-on.js'
import { killAppender } from '../../../test/stores/kill-appender.js'
import { numberedPositions } from '../../../test/stores/numbered-positions.js'
import { makeMongoDatabase } from '../../../test/stores/test-servers.js'
import { openMongoConnection } from '../mongo-connection.js'
import { momentKey } from './mongo-position-key.js'
import { openMongoPositions } from './mongo-position-store.js'
import { wholeTrack } from './position-samples.contract.js'

describeOn('MONGO_URL', 'positions in MongoDB of a process that is killed', () => {
  it('has every acknowledged append, knows all repeats, and says where each device was last', async () => {
    const made = await makeMongoDatabase()
    const url = made.variables.MONGO_URL ?? ''
    const raw = await mongoose.mongo.MongoClient.connect(url)
    let acknowledged: number[] = []
    for (let kill = 0; kill < 3; kill++) {
      // The later ones go on over what the ones before left behind.
      acknowledged = [...acknowledged, ...(await killAppender(url, (kill + 1) * 10_000, 8 + kill * 6))]
    }
    const store = await openMongoPositions(await openMongoConnection({ url }))
    try {
      expect(acknowledged.length).toBeGreaterThanOrEqual(8 + 14 + 20)
      const ids = await store.listDeviceIds(1000)
      expect(ids.length).toBe(40)
      const tracks = new Map(await Promise.all(ids.map(async (id) => [id, await wholeTrack(store, id)] as const)))
      const stored = new Map([...tracks.values()].flat().map((one) => [`${one.deviceId} ${one.timeMs}`, one]))
      expect(stored.size).toBe([...tracks.values()].flat().length)
      for (const batch of acknowledged) {
        const positions = numberedPositions(batch)
        expect(positions.map((one) => stored.get(`${one.deviceId} ${one.timeMs}`))).toEqual(positions)
      }
      const lasts = [...tracks.values()].map((track) => track.at(-1))
      const latest = await store.listLatest(ids)
      expect(new Map(latest.map((one) => [one.deviceId, one]))).toEqual(
        new Map(lasts.map((one) => [one?.deviceId, one])),
      )
      // And the documents by which lists in a box go say so, too.
      const documents = await raw.db().collection<{ _id: string; k: string }>('latest').find().toArray()
      expect(new Map(documents.map(({ _id, k }) => [_id, k]))).toEqual(
        new Map(lasts.map((one) => [one?.deviceId, momentKey(one?.timeMs ?? 0, 0)])),
      )
      const again = numberedPositions(acknowledged.at(-1) ?? 0)
      expect(await store.append(again)).toEqual({ isNew: again.map(() => false), isLatest: again.map(() => false) })
    } finally {
      await Promise.all([store.close(), raw.close()])
      await made.remove()
    }
  }, 120_000)
})

import { setImmediate as turn } from 'node:timers/promises'
import type { mongo } from 'mongoose'
import { HeardDevices } from './mongo-heard-devices.js'
import { MongoLatestPositions } from './mongo-latest-positions.js'
import { MongoPositionAppender } from './mongo-position-appender.js'
import type { LatestDocument, PositionDocument } from './mongo-position-document.js'
import { momentKey } from './mongo-position-key.js'
import { MongoRangeProbe } from './mongo-range-probe.js'
import { NOON_MS, samplePosition } from './position-samples.contract.js'

/** A network on which everything that was asked is answered in one round, and then the next begins. */
class Rounds {
  statements = 0
  count = 0
  /** The most under way at one time. */
  peak = 0
  private waiting: Array<() => void> = []

  async answer<T>(value: () => T): Promise<T> {
    this.statements++
    await new Promise<void>((resolve) => {
      if (this.waiting.push(resolve) === 1) void this.play()
    })
    return value()
  }

  private async play(): Promise<void> {
    for (let n = 0; n < 20; n++) await turn()
    this.count++
    this.peak = Math.max(this.peak, this.waiting.length)
    for (const resolve of this.waiting.splice(0)) resolve()
  }
}

/** Collections with one position of each device, an hour old, where every document says so. */
function collections(rounds: Rounds, failAt = Number.POSITIVE_INFINITY) {
  const k = momentKey(NOON_MS - 3_600_000, 0)
  const asked = (value: () => unknown) => ({ toArray: () => rounds.answer(value) })
  const latest = {
    find: (filter: { _id: { $in: string[] } }) =>
      asked(() => filter._id.$in.map((_id) => ({ _id, k, la: 48, lo: 11 }))),
    bulkWrite: (moves: unknown[]) => rounds.answer(() => ({ matchedCount: moves.length })),
  }
  const positions = {
    collectionName: 'positions',
    find: (filter: { _id: { $in: string[] } }) => asked(() => filter._id.$in.map((_id) => ({ _id }))),
    aggregate: () =>
      asked(() => {
        if (rounds.statements > failAt) throw new Error('lost')
        return []
      }),
    insertMany: () => rounds.answer(() => ({})),
  }
  return {
    latest: latest as unknown as mongo.Collection<LatestDocument>,
    positions: positions as unknown as mongo.Collection<PositionDocument>,
  }
}

describe('round trips of an append to MongoDB', () => {
  const batch = Array.from({ length: 5000 }, (_, index) => samplePosition({ deviceId: `truck-${index}` }))
  let rounds: Rounds
  let heard: HeardDevices

  const makeAppender = (rangesAtOnce: number, failAt?: number) => {
    rounds = new Rounds()
    heard = new HeardDevices()
    const { latest, positions } = collections(rounds, failAt)
    const documents = new MongoLatestPositions(latest, positions, new MongoRangeProbe(positions, rangesAtOnce))
    return new MongoPositionAppender(positions, documents, heard)
  }

  it('are few when a process hears 5,000 devices for the first time: within 7 s at 500 ms each', async () => {
    await makeAppender(200).append(batch)
    // Documents; three rounds of what is behind; the insert; the move.
    expect(rounds.count).toBe(6)
    expect(rounds.peak).toBe(13)
  })

  it('are more on FerretDB, which takes fewer ranges at a time', async () => {
    await makeAppender(20).append(batch)
    expect(rounds.count).toBe(24)
    expect(rounds.peak).toBe(13)
  })

  it('are two once it knows them', async () => {
    const appender = makeAppender(200)
    await appender.append(batch)
    rounds.count = 0
    await appender.append(batch.map((one) => ({ ...one, timeMs: one.timeMs + 1000 })))
    expect(rounds.count).toBe(2)
  })

  it('go on where they ended when the server was lost in between', async () => {
    const appender = makeAppender(200, 20)
    await expect(appender.append(batch)).rejects.toThrow('lost')
    expect(heard.listUnheard(batch.map(({ deviceId }) => deviceId)).length).toBe(2600)
  })
})

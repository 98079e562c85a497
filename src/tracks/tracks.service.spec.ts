import { Logger } from '@nestjs/common'
import { MemoryDeviceRecords, makeDevice } from '../../test/support/memory-device-records.js'
import { makePosition } from '../../test/support/positions.js'
import { removeTemporaryDirectories, temporaryDirectory } from '../../test/support/temporary-directory.js'
import { AppError } from '../model/app-error.js'
import { greatCircleM } from '../model/geo.js'
import type { Position } from '../model/position.js'
import { type PositionStore, type TrackQuery } from '../storage/positions/position-store.js'
import { openSqlitePositions } from '../storage/positions/sqlite-position-store.js'
import { TRACK_FILES } from './track-file.js'
import { STREAM_PAGE, TracksService } from './tracks.service.js'

const START_MS = Date.UTC(2026, 10, 22, 7, 30)
const LONG = 100_000

const second = (n: number, given: Partial<Position> = {}) =>
  makePosition({ deviceId: 'd1', timeMs: START_MS + n * 1000, latitude: 48 + n / 1e6, ...given })

describe('TracksService', () => {
  let store: PositionStore
  let listed: TrackQuery[]
  let failure: Error | undefined
  let tracks: TracksService

  beforeAll(async () => {
    store = await openSqlitePositions({ directory: temporaryDirectory() })
    const list = store.listTrack.bind(store)
    store.listTrack = async (deviceId, query) => {
      listed.push(query)
      if (failure !== undefined) throw failure
      return list(deviceId, query)
    }
    const devices = ['d1', 'two-in-a-second', 'long', 'empty'].map((deviceId) => makeDevice({ deviceId }))
    tracks = new TracksService(store, new MemoryDeviceRecords(devices))
    await store.append([
      ...Array.from({ length: 10 }, (_, n) => second(n)),
      second(20, { hasFix: false, latitude: null, longitude: null }),
      ...[30, 20, 10].map((discriminator) => second(5, { deviceId: 'two-in-a-second', discriminator })),
    ])
    for (let from = 0; from < LONG; from += 5000) {
      await store.append(Array.from({ length: 5000 }, (_, n) => second(from + n, { deviceId: 'long' })))
    }
  })

  beforeEach(() => {
    listed = []
    failure = undefined
  })

  afterEach(() => {
    jest.restoreAllMocks()
  })

  afterAll(async () => {
    await store.close()
    await removeTemporaryDirectories()
  })

  const query = (given: object = {}) => ({ limit: 50, ...given })

  describe('pages', () => {
    it('goes through a track in order of time, and of records of one time', async () => {
      const seen: Array<string | null> = []
      let cursor: string | undefined
      do {
        const { items, nextCursor } = await tracks.page('two-in-a-second', query({ limit: 1, cursor }))
        expect(items).toHaveLength(1)
        seen.push(nextCursor)
        cursor = nextCursor ?? undefined
      } while (cursor !== undefined)
      const keys = seen.map((one) => one && JSON.parse(Buffer.from(one, 'base64url').toString()))
      expect(keys).toEqual([['track', [START_MS + 5000, 10]], ['track', [START_MS + 5000, 20]], null])
    })

    it('takes from as inclusive and to as exclusive', async () => {
      const range = { from: START_MS + 2000, to: START_MS + 4000 }
      const { items, nextCursor } = await tracks.page('d1', query(range))
      expect(items.map(({ time }) => time)).toEqual(['2026-11-22T07:30:02.000Z', '2026-11-22T07:30:03.000Z'])
      expect(nextCursor).toBeNull()
    })

    it('shows positions without a fix only when asked', async () => {
      expect((await tracks.page('d1', query())).items).toHaveLength(10)
      const all = (await tracks.page('d1', query({ include: 'all' }))).items
      expect(all).toHaveLength(11)
      expect(all.at(-1)).toMatchObject({ latitude: null, longitude: null, hasFix: false })
    })

    it('neither repeats nor misses what stands behind the cursor when positions come in meanwhile', async () => {
      const first = await tracks.page('d1', query({ limit: 4 }))
      await store.append([second(1.5), second(7.5)])
      const rest = await tracks.page('d1', query({ cursor: first.nextCursor }))
      expect(rest.items.map(({ time }) => time.slice(17, 21))).toEqual([
        '04.0',
        '05.0',
        '06.0',
        '07.0',
        '07.5',
        '08.0',
        '09.0',
      ])
    })

    it('knows no device that is not in the registry, and no cursor of another list', async () => {
      await expect(tracks.page('nobody', query())).rejects.toMatchObject({ code: 'not_found' })
      await expect(tracks.page('d1', query({ cursor: 'x' }))).rejects.toMatchObject({ code: 'invalid_cursor' })
      expect(listed).toEqual([])
    })
  })

  it('measures a range by great-circle legs', async () => {
    const { meters, points } = await tracks.measure('long', { from: START_MS, to: START_MS + 3000 })
    const leg = (n: number) => greatCircleM(48 + n / 1e6, 11.5643883, 48 + (n + 1) / 1e6, 11.5643883)
    expect(points).toBe(3)
    expect(meters).toBeCloseTo(leg(0) + leg(1), 6)
    expect(await tracks.measure('empty', {})).toEqual({ meters: 0, points: 0 })
    await expect(tracks.measure('nobody', {})).rejects.toMatchObject({ code: 'not_found' })
  })

  describe('files', () => {
    const csv = TRACK_FILES['text/csv']

    it('holds the whole range whatever the page limit says', async () => {
      const stream = await tracks.open('long', query({ limit: 1, cursor: 'x' }), TRACK_FILES['application/geo+json'])
      const { features } = JSON.parse((await stream.toArray()).join(''))
      expect(features).toHaveLength(LONG)
      expect(features[LONG - 1].properties.time).toBe('2026-11-23T11:16:39.000Z')
      expect(listed.map(({ limit }) => limit)).toEqual(Array(LONG / STREAM_PAGE + 1).fill(STREAM_PAGE))
    })

    it('reads pages as they are taken, one ahead', async () => {
      const stream = await tracks.open('long', query(), csv)
      let taken = 0
      for await (const _ of stream) {
        taken++
        // The first piece is the header row; one piece waits in the stream while the next is being made.
        expect(listed.length).toBeLessThanOrEqual(taken + 1)
      }
      expect(taken).toBe(1 + LONG / STREAM_PAGE)
    })

    it('reads nothing while nobody takes anything', async () => {
      const stream = await tracks.open('long', query(), csv)
      stream.read(0)
      await new Promise((resolve) => setTimeout(resolve, 50))
      expect(listed.length).toBeLessThanOrEqual(2)
      stream.destroy()
    })

    it('stops reading when the stream is destroyed', async () => {
      const stream = await tracks.open('long', query(), csv)
      for await (const _ of stream) if (listed.length >= 5) break
      const before = listed.length
      await new Promise((resolve) => setTimeout(resolve, 50))
      expect(stream.destroyed).toBe(true)
      expect(listed.length).toBeLessThanOrEqual(before + 1)
    })

    it('is refused in words when the store is away at the start, and breaks when it goes away later', async () => {
      jest.spyOn(Logger.prototype, 'error').mockImplementation()
      const stream = await tracks.open('long', query(), csv)
      failure = new AppError('store_unavailable')
      await expect(stream.toArray()).rejects.toMatchObject({ code: 'store_unavailable' })
      await expect(tracks.open('long', query(), csv)).rejects.toMatchObject({ code: 'store_unavailable' })
      await expect(tracks.open('nobody', query(), csv)).rejects.toMatchObject({ code: 'not_found' })
    })
  })
})

import type { AlarmReport } from '../../model/alarm.js'
import { reportOf } from './alarm-records.contract.js'
import type { AlarmRecords } from './alarm-records.js'
import { CLOCKS_BEGIN_MS, MOST_ALARM_IDS, type NewVideo, type VideoQuery, type VideoRecords } from './video-records.js'

export interface OpenedVideoRecords {
  readonly records: VideoRecords
  /** On the same database. */
  readonly alarms: AlarmRecords
  close(): Promise<void>
}

const T = 1_700_000_000_123
const HOUR = 3_600_000
const SHA = 'ab'.repeat(32)

const newVideo = (id: string, changes: Partial<NewVideo> = {}): NewVideo => ({
  id,
  deviceId: 'truck-1',
  fileName: `${id}.mp4`,
  bytes: 5_000_000_000,
  sha256: SHA,
  contentType: 'video/mp4',
  recordedAtMs: null,
  blobUploadId: `upload-of-${id}`,
  reservedAtMs: T,
  ...changes,
})

const alarm = (timeMs: number, changes: Partial<AlarmReport> = {}): AlarmReport =>
  reportOf({ deviceId: 'truck-1', timeMs, receivedAtMs: T, ...changes })

/** What every store of videos does. `open` gives an empty one. */
export function videoRecordsContract(database: string, open: () => Promise<OpenedVideoRecords>): void {
  describe(`video records on ${database}`, () => {
    let opened: OpenedVideoRecords
    let records: VideoRecords

    beforeEach(async () => {
      opened = await open()
      records = opened.records
    })
    afterEach(() => opened.close())

    /** A shown video. */
    async function shown(id: string, changes: Partial<NewVideo> = {}, uploadedAtMs = T) {
      await records.reserve(newVideo(id, changes))
      const video = await records.show(id, uploadedAtMs)
      if (video === undefined || video === 'removed') throw new Error(`${id} is not shown`)
      return video
    }
    const listed = async (query: Partial<Parameters<VideoRecords['list']>[0]> = {}) =>
      (await records.list({ limit: 100, ...query })).map(({ id }) => id)
    const raise = async (report: AlarmReport) => (await opened.alarms.raise([report], 20))[0]?.alarm.id ?? ''

    describe('a reservation', () => {
      it('takes the name and shows nothing', async () => {
        expect(await records.reserve(newVideo('v'))).toBeUndefined()

        expect(await records.find('v')).toBeUndefined()
        expect(await records.findByName('truck-1', 'v.mp4')).toBeUndefined()
        expect(await listed()).toEqual([])
        expect(await listed({ statuses: ['processing'] })).toEqual([])
        expect(await records.listToProcess(10, true)).toEqual([])
        expect(await records.listOlderThan(T + HOUR, 10)).toEqual([])
        expect(await records.setKeep('v', true)).toBeUndefined()
        expect(await records.hide('v')).toBeUndefined()
        expect(await records.listHidden(10)).toEqual([])
        expect(await records.setOutcome('v', { status: 'ready', failureReason: null })).toBeUndefined()
      })

      it('is told to who wants the name as well, as it was made', async () => {
        const first = newVideo('v', { fileName: 'clip.mp4', recordedAtMs: -62_135_596_800_000 })
        await records.reserve(first)

        expect(await records.reserve(newVideo('w', { fileName: 'clip.mp4' }))).toEqual({ reservation: first })
        expect(await records.listReserved(T + 1)).toEqual([first])
      })

      it('of one name by many at once is one', async () => {
        const outcomes = await Promise.all(
          Array.from({ length: 10 }, (_, i) => records.reserve(newVideo(`v${i}`, { fileName: 'clip.mp4' }))),
        )

        expect(outcomes.filter((holder) => holder === undefined)).toHaveLength(1)
        const [reserved] = await records.listReserved(T + 1)
        for (const holder of outcomes) expect(holder ?? { reservation: reserved }).toEqual({ reservation: reserved })
      })

      it('takes a name of its device only, byte by byte', async () => {
        const names = [
          'clip.mp4',
          'Clip.mp4',
          'clip.mp4 ',
          'caf\u00e9.mp4',
          '漢'.repeat(66),
          'x'.repeat(200),
          '🚚.mp4',
          "';--",
        ]
        for (const [i, fileName] of names.entries()) {
          expect(await records.reserve(newVideo(`v${i}`, { fileName }))).toBeUndefined()
          expect(await records.reserve(newVideo(`w${i}`, { fileName, deviceId: 'truck-2' }))).toBeUndefined()
          expect(await records.show(`v${i}`, T)).toMatchObject({ fileName })
        }
        expect(await records.reserve(newVideo('x', { deviceId: 'Truck-1', fileName: 'clip.mp4' }))).toBeUndefined()
      })

      it('that is released gives the name free', async () => {
        await records.reserve(newVideo('v', { fileName: 'clip.mp4' }))
        await records.release('v')
        await records.release('v')

        expect(await records.reserve(newVideo('w', { fileName: 'clip.mp4' }))).toBeUndefined()
        expect(await records.show('v', T)).toBeUndefined()
      })

      it('is listed when it is from before a moment, oldest first', async () => {
        await records.reserve(newVideo('young', { reservedAtMs: T + 2 }))
        await records.reserve(newVideo('b', { reservedAtMs: T + 1 }))
        await records.reserve(newVideo('a', { reservedAtMs: T }))
        await shown('shown', { reservedAtMs: T - 1 })

        expect((await records.listReserved(T + 2)).map(({ id }) => id)).toEqual(['a', 'b'])
        expect(await records.listReserved(T)).toEqual([])
      })
    })

    describe('a shown video', () => {
      it('is as it was reserved, and waits for the worker', async () => {
        const video = await shown('v', { recordedAtMs: T - HOUR }, T + 5)

        expect(video).toEqual({
          id: 'v',
          deviceId: 'truck-1',
          fileName: 'v.mp4',
          bytes: 5_000_000_000,
          sha256: SHA,
          contentType: 'video/mp4',
          status: 'processing',
          failureReason: null,
          recordedAtMs: T - HOUR,
          uploadedAtMs: T + 5,
          durationS: null,
          width: null,
          height: null,
          codec: null,
          keep: false,
          hasThumbnail: false,
          screenshots: 0,
          alarmIds: [],
        })
        expect(await records.find('v')).toEqual(video)
        expect(await records.findByName('truck-1', 'v.mp4')).toEqual(video)
        expect(await records.list({ limit: 1 })).toEqual([video])
        expect(await records.listReserved(T + HOUR)).toEqual([])
      })

      it('keeps the moment it was shown first', async () => {
        await shown('v')

        expect(await records.show('v', T + 1)).toMatchObject({ uploadedAtMs: T })
      })

      it('has its name', async () => {
        const video = await shown('v', { fileName: 'clip.mp4' })
        await records.release('v')
        await records.remove('v')

        expect(await records.reserve(newVideo('w', { fileName: 'clip.mp4' }))).toEqual({ video })
      })

      it('is of its name and device only', async () => {
        await shown('v')

        expect(await records.find('V')).toBeUndefined()
        expect(await records.find('v ')).toBeUndefined()
        expect(await records.findByName('truck-1', 'V.mp4')).toBeUndefined()
        expect(await records.findByName('truck-2', 'v.mp4')).toBeUndefined()
        expect(await records.show('unknown', T)).toBeUndefined()
      })

      it('is kept when a user says so, and no longer when a user says so', async () => {
        const video = await shown('v')

        expect(await records.setKeep('v', true)).toEqual({ ...video, keep: true })
        expect(await records.setKeep('v', true)).toEqual({ ...video, keep: true })
        expect(await records.setKeep('v', false)).toEqual(video)
        expect(await records.setKeep('unknown', true)).toBeUndefined()
      })

      it('holds times that no calendar has', async () => {
        for (const [i, recordedAtMs] of [-8.64e15, -1, 0, 8.64e15].entries()) {
          await shown(`v${i}`, { recordedAtMs })
          expect((await records.find(`v${i}`))?.recordedAtMs).toBe(recordedAtMs)
        }
        expect(await listed()).toEqual(['v3', 'v2', 'v1', 'v0'])
        expect(await listed({ fromMs: -1, toMs: 8.64e15 })).toEqual(['v2', 'v1'])
      })
    })

    describe('a removal', () => {
      it('hides first: nothing finds the video, and its name stays taken', async () => {
        const video = await shown('v', { fileName: 'clip.mp4' })
        await records.setOutcome('v', { status: 'ready', failureReason: null, screenshots: 3 })

        const was = { ...video, status: 'ready', screenshots: 3 }
        expect(await records.hide('v')).toEqual(was)
        expect(await records.hide('v')).toEqual(was)

        expect(await records.find('v')).toBeUndefined()
        expect(await records.findByName('truck-1', 'clip.mp4')).toBeUndefined()
        expect(await listed()).toEqual([])
        expect(await records.show('v', T + 1)).toBeUndefined()
        expect(await records.setKeep('v', true)).toBeUndefined()
        expect(await records.reserve(newVideo('w', { fileName: 'clip.mp4' }))).toEqual({})
        expect(await records.listHidden(10)).toEqual([was])
        expect(await records.listReserved(T + HOUR)).toEqual([])
        await records.release('v')
        expect(await records.listHidden(10)).toEqual([was])
      })

      it('then forgets it and gives the name free', async () => {
        await shown('v', { fileName: 'clip.mp4' })
        await records.hide('v')
        await records.remove('v')
        await records.remove('v')

        expect(await records.listHidden(10)).toEqual([])
        expect(await records.hide('v')).toBeUndefined()
        expect(await records.reserve(newVideo('w', { fileName: 'clip.mp4' }))).toBeUndefined()
      })

      it('leaves alone what somebody keeps, if it is to', async () => {
        await shown('v')
        await records.setKeep('v', true)
        expect(await records.hide('v', true)).toBeUndefined()
        expect(await listed()).toEqual(['v'])
        await records.setKeep('v', false)
        expect((await records.hide('v', true))?.id).toBe('v')
        expect(await listed()).toEqual([])
      })

      it('that was left half-way is listed, oldest first', async () => {
        for (const [id, at] of [
          ['c', T + 2],
          ['a', T],
          ['b', T + 1],
        ] as const) {
          await shown(id, {}, at)
          await records.hide(id)
        }

        expect((await records.listHidden(2)).map(({ id }) => id)).toEqual(['a', 'b'])
      })

      it('never touches a reservation', async () => {
        await records.reserve(newVideo('v'))
        await records.remove('v')

        expect(await records.listReserved(T + 1)).toHaveLength(1)
      })
    })

    describe('a removal in the moment in which the video is shown', () => {
      it.each(['hidden', 'gone'])('leaves no doubt that it was shown (%s)', async (by) => {
        await records.reserve(newVideo('v'))
        const find = records.find.bind(records)
        jest.spyOn(records, 'find').mockImplementationOnce(async (id) => {
          await records.hide(id)
          if (by === 'gone') await records.remove(id)
          return find(id)
        })

        expect(await records.show('v', T)).toBe('removed')
        expect(await records.show('v', T)).toBeUndefined()
      })
    })

    describe('a claim', () => {
      it('is this node’s whatever state the video is in, and may be renewed, and keeps nothing of it from this node', async () => {
        await records.reserve(newVideo('v'))
        expect([await records.claim('v', HOUR), await records.claim('v', HOUR)]).toEqual([true, true])
        const video = await records.show('v', T)
        expect(await records.claim('v', HOUR)).toBe(true)
        expect(await records.hide('v')).toEqual(video)
        expect(await records.claim('v', HOUR)).toBe(true)
        await records.remove('v')

        expect(await records.listOfDevice('truck-1', 10)).toEqual([])
        expect(await records.claim('v', HOUR)).toBe(false)
      })

      it('may be ended before its time, also twice', async () => {
        await records.reserve(newVideo('v'))
        await records.unclaim('v')
        await records.unclaim('v')
        await records.unclaim('unknown')

        expect(await records.show('v', T)).toMatchObject({ id: 'v' })
      })
    })

    describe('the list', () => {
      beforeEach(async () => {
        await shown('a', { deviceId: 'truck-1', fileName: 'x.mp4', recordedAtMs: T - 3 * HOUR }, T)
        await shown('b', { deviceId: 'truck-2', fileName: 'x.mp4', recordedAtMs: null }, T - 2 * HOUR)
        await shown('c', { deviceId: 'truck-2', fileName: 'y.mp4', recordedAtMs: T - HOUR }, T - 9 * HOUR)
        await shown('d', { deviceId: 'truck-3', fileName: 'z.mp4', recordedAtMs: T - HOUR }, T)
        await records.setOutcome('b', { status: 'ready', failureReason: null })
        await records.setOutcome('c', { status: 'failed', failureReason: 'not_decodable' })
      })

      it('is newest first by what the unit said, else by the upload, ties by id', async () => {
        expect(await listed()).toEqual(['d', 'c', 'b', 'a'])
        expect(await listed({ limit: 2 })).toEqual(['d', 'c'])
      })

      it.each([
        ['one device', { deviceIds: ['truck-2'] }, ['c', 'b']],
        ['devices', { deviceIds: ['truck-1', 'truck-3', 'truck-1', 'nobody'] }, ['d', 'a']],
        ['no device', { deviceIds: [] }, []],
        ['one name', { fileNames: ['x.mp4'] }, ['b', 'a']],
        ['names', { fileNames: ['y.mp4', 'z.mp4'] }, ['d', 'c']],
        ['a name in another case', { fileNames: ['X.mp4'] }, []],
        ['one status', { statuses: ['processing'] as const }, ['d', 'a']],
        ['statuses', { statuses: ['ready', 'failed'] as const }, ['c', 'b']],
        ['every status', { statuses: ['ready', 'failed', 'processing'] as const }, ['d', 'c', 'b', 'a']],
        ['no status', { statuses: [] }, []],
        ['no alarm', { alarmIds: [] }, []],
        ['an unknown alarm', { alarmIds: ['unknown'] }, []],
        ['from, inclusive', { fromMs: T - 2 * HOUR }, ['d', 'c', 'b']],
        ['to, exclusive', { toMs: T - HOUR }, ['b', 'a']],
        ['a time', { fromMs: T - 3 * HOUR, toMs: T - 2 * HOUR }, ['a']],
        ['an empty time', { fromMs: T, toMs: T }, []],
        [
          'device, name, status and time',
          {
            deviceIds: ['truck-1', 'truck-2'],
            fileNames: ['x.mp4'],
            statuses: ['ready'] as const,
            fromMs: T - 2 * HOUR,
            toMs: T,
          },
          ['b'],
        ],
      ])('takes %s', async (_, query, ids) => {
        expect(await listed(query)).toEqual(ids)
      })

      it('goes on behind any of them, whatever comes in between', async () => {
        const pages: string[] = []
        let after: { atMs: number; id: string } | undefined
        for (let i = 0; i < 5; i++) {
          const [video] = await records.list({ limit: 1, after })
          if (!video) break
          pages.push(video.id)
          after = { atMs: video.recordedAtMs ?? video.uploadedAtMs, id: video.id }
          await shown(`new-${i}`, {}, T + i)
        }

        expect(pages).toEqual(['d', 'c', 'b', 'a'])
      })

      it.each([
        ['devices', { deviceIds: ['truck-1', 'truck-2', 'truck-3'] }],
        ['names', { fileNames: ['x.mp4', 'y.mp4', 'z.mp4', 'more.mp4'] }],
        ['statuses', { statuses: ['processing', 'ready'] as const }],
        ['devices and statuses', { deviceIds: ['truck-1', 'truck-2'], statuses: ['ready', 'failed'] as const }],
        ['names and a time', { fileNames: ['x.mp4', 'more.mp4'], fromMs: T - 3 * HOUR, toMs: T + 5 }],
      ])('goes on within several %s', async (_, query: Partial<VideoQuery>) => {
        for (let i = 0; i < 12; i++) {
          const deviceId = `truck-${1 + (i % 4)}`
          await shown(`more-${i}`, { deviceId, fileName: i < 4 ? 'more.mp4' : `m${i}` }, T + (i % 3))
          if (i % 2 === 0) await records.setOutcome(`more-${i}`, { status: 'ready', failureReason: null })
        }
        const { deviceIds, fileNames, statuses, fromMs, toMs } = query
        const expected = (await records.list({ limit: 100 })).filter((video) => {
          const atMs = video.recordedAtMs ?? video.uploadedAtMs
          const isIn = deviceIds?.includes(video.deviceId) ?? fileNames?.includes(video.fileName) ?? true
          const isInTime = atMs >= (fromMs ?? atMs) && atMs < (toMs ?? atMs + 1)
          return isIn && isInTime && (statuses?.includes(video.status) ?? true)
        })
        const pages: string[] = []
        for (let after: VideoQuery['after']; ; ) {
          const page = await records.list({ ...query, limit: 2, after })
          pages.push(...page.map(({ id }) => id))
          const last = page.at(-1)
          if (!last) break
          after = { atMs: last.recordedAtMs ?? last.uploadedAtMs, id: last.id }
        }

        expect(pages).toEqual(expected.map(({ id }) => id))
        expect(await listed(query)).toEqual(pages)
        expect(pages.length).toBeGreaterThan(4)
      })

      it('takes any number of values', async () => {
        const deviceIds = ['truck-2', ...Array.from({ length: 400 }, (_, i) => `nobody-${i}`)]

        expect(await listed({ deviceIds })).toEqual(['c', 'b'])
        expect(await listed({ deviceIds: deviceIds.slice(0, 200) })).toEqual(['c', 'b'])
      })

      it('goes on within a filter', async () => {
        const after = { atMs: T - HOUR, id: 'd' }

        expect(await listed({ after, deviceIds: ['truck-1', 'truck-2'] })).toEqual(['c', 'b', 'a'])
        expect(await listed({ after, statuses: ['processing'] })).toEqual(['a'])
        expect(await listed({ after, fromMs: T - 2 * HOUR })).toEqual(['c', 'b'])
      })
    })

    describe('alarms', () => {
      it('that name the file are told, newest first, whichever came first', async () => {
        const before = await raise(alarm(T, { fileNames: ['clip.mp4', 'other.mp4'] }))
        await shown('v', { fileName: 'clip.mp4' })
        const later = await raise(alarm(T + 1000, { fileNames: ['clip.mp4'] }))
        const earlier = await raise(alarm(T - 1000, { fileNames: ['other.mp4', 'clip.mp4'] }))
        await raise(alarm(T + 2000, { deviceId: 'truck-2', fileNames: ['clip.mp4'] }))

        expect((await records.find('v'))?.alarmIds).toEqual([later, before, earlier])
        expect((await records.findByName('truck-1', 'clip.mp4'))?.alarmIds).toEqual([later, before, earlier])
        expect((await records.list({ limit: 1 }))[0]?.alarmIds).toEqual([later, before, earlier])
        expect((await records.hide('v'))?.alarmIds).toEqual([later, before, earlier])
      })

      it('narrow the list', async () => {
        const one = await raise(alarm(T, { fileNames: ['a.mp4', 'b.mp4', 'never.mp4'] }))
        const two = await raise(alarm(T + 1, { fileNames: ['b.mp4', 'c.mp4'] }))
        const other = await raise(alarm(T, { deviceId: 'truck-2', fileNames: ['a.mp4'] }))
        const none = await raise(alarm(T + 2))
        for (const [i, id] of ['a', 'b', 'c', 'd'].entries()) await shown(id, {}, T + i)

        expect(await listed({ alarmIds: [one] })).toEqual(['b', 'a'])
        expect(await listed({ alarmIds: [one, two] })).toEqual(['c', 'b', 'a'])
        expect(await listed({ alarmIds: [other] })).toEqual([])
        expect(await listed({ alarmIds: [none] })).toEqual([])
        expect(await listed({ alarmIds: [one, two], fileNames: ['b.mp4'], deviceIds: ['truck-1'] })).toEqual(['b'])
        expect(await listed({ alarmIds: [one, two], after: { atMs: T + 1, id: 'b' } })).toEqual(['a'])
      })

      it('are at most a hundred, the newest', async () => {
        await shown('v', { fileName: 'clip.mp4' })
        await shown('w', { fileName: 'other.mp4' })
        const reports = Array.from({ length: MOST_ALARM_IDS + 20 }, (_, i) => alarm(T + i, { fileNames: ['clip.mp4'] }))
        const ids = (await opened.alarms.raise(reports, 20)).map((raised) => raised.alarm.id)
        const one = await raise(alarm(T, { type: 'SOS', fileNames: ['other.mp4'] }))

        expect((await records.find('v'))?.alarmIds).toEqual(ids.reverse().slice(0, MOST_ALARM_IDS))
        expect((await records.find('w'))?.alarmIds).toEqual([one])
      })
    })

    describe('the work on it', () => {
      it('is listed oldest first, with what a missing tool left when asked for', async () => {
        await shown('late', { recordedAtMs: 0 }, T + 3)
        await shown('missing', {}, T + 1)
        await shown('early', {}, T + 2)
        await shown('broken', {}, T)
        await shown('ready', {}, T)
        await records.setOutcome('missing', { status: 'failed', failureReason: 'media_tool_missing' })
        await records.setOutcome('broken', { status: 'failed', failureReason: 'not_decodable' })
        await records.setOutcome('ready', { status: 'ready', failureReason: null })
        await shown('gone', {}, T)
        await records.hide('gone')
        const waiting = async (limit: number, withMissingTool: boolean) =>
          (await records.listToProcess(limit, withMissingTool)).map(({ id }) => id)

        expect(await waiting(10, false)).toEqual(['early', 'late'])
        expect(await waiting(10, true)).toEqual(['missing', 'early', 'late'])
        expect(await waiting(2, true)).toEqual(['missing', 'early'])
        expect(await waiting(1, false)).toEqual(['early'])
      })

      it('is counted before it begins', async () => {
        await shown('v')

        expect(await records.countAttempt('v')).toBe(1)
        expect(await records.countAttempt('v')).toBe(2)
        expect(await records.countAttempt('unknown')).toBe(0)
      })

      it('leaves what was found out', async () => {
        const video = await shown('v')
        const facts = { durationS: 12.345, width: 1920, height: 1080, codec: 'h264' }

        const ready = { ...video, ...facts, status: 'ready', hasThumbnail: true, screenshots: 3 }
        expect(
          await records.setOutcome('v', {
            ...facts,
            status: 'ready',
            failureReason: null,
            hasThumbnail: true,
            screenshots: 3,
          }),
        ).toEqual(ready)
        expect(await records.find('v')).toEqual(ready)
      })

      it('that fails says why, and leaves what is not said', async () => {
        await shown('v')
        await records.setOutcome('v', {
          status: 'ready',
          failureReason: null,
          durationS: 100_000_000,
          width: 320,
          height: 240,
          codec: 'mjpeg',
        })

        const failed = await records.setOutcome('v', { status: 'failed', failureReason: 'too_slow', durationS: null })

        expect(failed).toMatchObject({
          status: 'failed',
          failureReason: 'too_slow',
          durationS: null,
          width: 320,
          codec: 'mjpeg',
        })
        expect(await records.setOutcome('unknown', { status: 'ready', failureReason: null })).toBeUndefined()
      })

      it('that ends after the removal changes nothing', async () => {
        const video = await shown('v')
        await records.hide('v')

        expect(await records.setOutcome('v', { status: 'ready', failureReason: null })).toBeUndefined()
        expect(await records.listHidden(1)).toEqual([video])
      })
    })

    it('lists what is old and not kept, oldest first', async () => {
      await shown('recorded', { recordedAtMs: T - 2 * HOUR }, T)
      await shown('uploaded', {}, T - 3 * HOUR)
      await shown('kept', {}, T - 4 * HOUR)
      await shown('young', {}, T)
      await records.setKeep('kept', true)
      await shown('hidden', {}, T - 5 * HOUR)
      await records.hide('hidden')
      const old = async (atMs: number, limit: number) => (await records.listOlderThan(atMs, limit)).map(({ id }) => id)

      expect(await old(T, 10)).toEqual(['uploaded', 'recorded'])
      expect(await old(T, 1)).toEqual(['uploaded'])
      expect(await old(T - 2 * HOUR, 10)).toEqual(['uploaded'])
      await records.setKeep('uploaded', true)
      expect(await old(T, 10)).toEqual(['recorded'])
    })

    it('takes one whose clock was not set for as old as its upload', async () => {
      for (const [id, recordedAtMs] of [
        ['unset', 0],
        ['before all time', -62_135_596_800_000],
        ['fallen back', CLOCKS_BEGIN_MS - 1],
        ['old', CLOCKS_BEGIN_MS],
      ] as const) {
        await shown(id, { recordedAtMs }, T)
      }
      const old = async (atMs: number) => (await records.listOlderThan(atMs, 10)).map(({ id }) => id)

      expect(await old(T)).toEqual(['old'])
      expect(await old(T + 1)).toEqual(['before all time', 'unset', 'fallen back', 'old'])
    })

    it('lists everything that holds a name of a device', async () => {
      await records.reserve(newVideo('reserved', { fileName: 'c' }))
      await shown('shown', { fileName: 'a' })
      await shown('hidden', { fileName: 'b' })
      await records.hide('hidden')
      await shown('other', { deviceId: 'truck-10' })

      expect(await records.listOfDevice('truck-1', 10)).toEqual([
        { id: 'shown', fileName: 'a', blobUploadId: null },
        { id: 'hidden', fileName: 'b', blobUploadId: null },
        { id: 'reserved', fileName: 'c', blobUploadId: 'upload-of-reserved' },
      ])
      expect(await records.listOfDevice('truck-1', 1)).toHaveLength(1)
      expect(await records.listOfDevice('truck', 10)).toEqual([])
    })
  })
}

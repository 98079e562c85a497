import type { Alarm, AlarmReport } from '../../model/alarm.js'
import type { DeviceId } from '../../model/device-id.js'
import type { AlarmQuery, AlarmRecords } from './alarm-records.js'

/** The records, and what others keep that alarms are joined to. */
export interface OpenedAlarmRecords {
  readonly records: AlarmRecords
  /** Makes a video visible under the name. @returns its id */
  showVideo(deviceId: DeviceId, fileName: string): Promise<string>
  /** Takes a name that is not visible yet. */
  reserveVideo(deviceId: DeviceId, fileName: string): Promise<string>
  removeVideo(id: string): Promise<void>
  /** Registers a device, or changes it. */
  putDevice(deviceId: DeviceId, names: { readonly name: string | null; readonly plate: string | null }): Promise<void>
  removeDevice(deviceId: DeviceId): Promise<void>
  close(): Promise<void>
}

export const T = Date.parse('2026-11-22T07:30:00.123Z')
const UNIT = '356938035643809'
const MAX_FILES = 20

export const reportOf = (changes: Partial<AlarmReport> = {}): AlarmReport => ({
  deviceId: UNIT,
  type: 'CRASH',
  timeMs: T,
  eventKey: '',
  receivedAtMs: T + 1250,
  timeSuspect: false,
  latitude: null,
  longitude: null,
  speedKmh: null,
  attributes: null,
  fileNames: [],
  ...changes,
})

/** What every store of alarms does. `open` gives an empty one. */
export function alarmRecordsContract(database: string, open: () => Promise<OpenedAlarmRecords>): void {
  describe(`alarm records on ${database}`, () => {
    let opened: OpenedAlarmRecords
    let records: AlarmRecords

    beforeEach(async () => {
      opened = await open()
      records = opened.records
    })
    afterEach(() => opened.close())

    const raise = (...reports: Partial<AlarmReport>[]) => records.raise(reports.map(reportOf), MAX_FILES)
    const raiseOne = async (report: Partial<AlarmReport> = {}): Promise<Alarm> => {
      const [raised] = await raise(report)
      if (!raised) throw new Error('nothing was raised')
      return raised.alarm
    }
    const list = (query: Partial<AlarmQuery> = {}) => records.list({ order: 'newest', limit: 500, ...query })
    const keysOf = async (query: Partial<AlarmQuery>) => (await list(query)).map(({ attributes }) => attributes?.n)
    const countsOf = async (...args: Parameters<AlarmRecords['summarize']>) =>
      Object.fromEntries((await records.summarize(...args)).map(({ key, count }) => [key, count]))

    describe('raised', () => {
      it('gives every field back as it was reported, open and with itself as its history', async () => {
        const report = reportOf({
          eventKey: '7',
          timeSuspect: true,
          latitude: 48.1635066,
          longitude: -11.5643883,
          speedKmh: 42.5,
          attributes: { eventKey: '7', peak: 0.61, on: true, text: 'ä"\u2028' },
          fileNames: ['b.mp4', 'a.mp4'],
        })
        const { eventKey: _, fileNames: __, ...fields } = report

        const [raised] = await records.raise([report], MAX_FILES)

        const alarm = {
          ...fields,
          id: expect.stringMatching(/^[0-9a-f]{32}$/),
          status: 'open',
          note: null,
          assignee: null,
          files: [
            { fileName: 'b.mp4', videoId: null },
            { fileName: 'a.mp4', videoId: null },
          ],
          history: [{ atMs: T + 1250, by: null, status: 'open', note: null, assignee: null }],
        }
        expect(raised).toEqual({ alarm, isNew: true, isChanged: true })
        expect(await records.find(raised?.alarm.id ?? '')).toEqual(raised?.alarm)
        expect(await list()).toEqual([raised?.alarm])
      })

      it('keeps an alarm that has nothing but its identity', async () => {
        const alarm = await raiseOne()

        expect(alarm).toMatchObject({ latitude: null, longitude: null, speedKmh: null, attributes: null, files: [] })
        expect(await records.find(alarm.id)).toEqual(alarm)
      })

      it('is one alarm however often it is reported; what came first stays', async () => {
        const first = await raiseOne({ speedKmh: 10, attributes: { a: 1 } })
        const [again] = await raise({ speedKmh: 99, attributes: { b: 2 }, receivedAtMs: T + 9999 })

        expect(again).toEqual({ alarm: first, isNew: false, isChanged: false })
        expect(await list()).toEqual([first])
      })

      it('tells alarms apart by device, type, millisecond and event key, letter by letter', async () => {
        const raised = await raise(
          {},
          { deviceId: 'box-1' },
          { deviceId: 'Box-1' },
          { type: 'SOS' },
          { timeMs: T + 1 },
          { eventKey: 'a' },
          { eventKey: 'A' },
          { eventKey: 'a ' },
          { eventKey: 'ä' },
          { eventKey: 'x'.repeat(64) },
          { eventKey: 'x'.repeat(65) },
          { eventKey: 'x'.repeat(4000) },
          { eventKey: '#x' },
        )

        expect(raised.every(({ isNew }) => isNew)).toBe(true)
        expect(new Set(raised.map(({ alarm }) => alarm.id)).size).toBe(13)
        const again = await raise({ eventKey: 'x'.repeat(65) }, { eventKey: '#x' }, { eventKey: 'a ' })
        expect(again.map(({ alarm, isNew }) => [alarm.id, isNew])).toEqual(
          [10, 12, 7].map((i) => [raised[i]?.alarm.id, false]),
        )
      })

      it('folds repeats within one batch, in order, whatever lies between them', async () => {
        const raised = await raise(
          { fileNames: ['a.mp4'] },
          { type: 'SOS' },
          { fileNames: ['a.mp4', 'b.mp4'] },
          {},
          { type: 'SOS' },
        )

        expect(raised.map(({ isNew, isChanged }) => [isNew, isChanged])).toEqual([
          [true, true],
          [true, true],
          [false, true],
          [false, false],
          [false, false],
        ])
        expect(raised[0]?.alarm.files.map(({ fileName }) => fileName)).toEqual(['a.mp4', 'b.mp4'])
        expect(raised[2]?.alarm).toEqual(raised[0]?.alarm)
        expect(await list()).toHaveLength(2)
      })

      it('adds names of files behind those that it has, up to the limit', async () => {
        const names = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `${from + i}.mp4`)
        const first = await raiseOne({ fileNames: names(0, 3) })

        const [more] = await raise({ fileNames: ['1.mp4', '3.mp4'] })
        const [full] = await raise({ fileNames: names(0, 25) })
        const [over] = await raise({ fileNames: ['late.mp4'] })

        expect(more).toMatchObject({ isNew: false, isChanged: true, alarm: { id: first.id } })
        expect(more?.alarm.files.map(({ fileName }) => fileName)).toEqual(names(0, 4))
        expect(full?.alarm.files.map(({ fileName }) => fileName)).toEqual(names(0, 20))
        expect(over).toEqual({ alarm: full?.alarm, isNew: false, isChanged: false })
        expect(await records.find(first.id)).toEqual(full?.alarm)
      })

      it('takes no more names than it may of a report that brings more', async () => {
        const [raised] = await records.raise([reportOf({ fileNames: ['a', 'b', 'c'] })], 2)

        expect(raised?.alarm.files.map(({ fileName }) => fileName)).toEqual(['a', 'b'])
        expect(await records.find(raised?.alarm.id ?? '')).toEqual(raised?.alarm)
      })

      it('keeps names in any script', async () => {
        const fileNames = ['Ünfall Nörd.mp4', '事故の映像.mp4', 'авария.mp4', 'حادث.mp4', '🚚💥.mp4', "o'hara %_\\.mp4"]

        const alarm = await raiseOne({ fileNames })

        expect((await records.find(alarm.id))?.files.map(({ fileName }) => fileName)).toEqual(fileNames)
      })

      it('keeps any moment to the millisecond and in its place: before 1970, far ahead, at the ends of what a clock can say', async () => {
        const moments = [
          -8.64e15,
          Date.parse('0001-01-01T00:00:00Z'),
          -1,
          0,
          T,
          Date.parse('9999-12-31T23:59:59.999Z'),
          8.64e15,
        ]

        await raise(...[...moments].reverse().map((timeMs) => ({ timeMs })))

        expect((await list({ order: 'oldest' })).map(({ timeMs }) => timeMs)).toEqual(moments)
        expect((await list({ fromMs: -1, toMs: T })).map(({ timeMs }) => timeMs)).toEqual([0, -1])
        expect((await list({ fromMs: -8.64e15, limit: 1 })).map(({ timeMs }) => timeMs)).toEqual([8.64e15])
      })

      it('stores many reports of many units in one go, and all of them at once or none', async () => {
        const reports = Array.from({ length: 1500 }, (_, i) =>
          reportOf({ deviceId: `unit-${i % 100}`, timeMs: T + Math.floor(i / 100), fileNames: [`${i % 7}.mp4`] }),
        )

        const raised = await records.raise(reports, MAX_FILES)
        const broken = records.raise([reportOf({ timeMs: T + 999_999 }), reportOf({ timeMs: Number.NaN })], MAX_FILES)

        expect(raised.every(({ isNew }) => isNew)).toBe(true)
        expect(raised.map(({ alarm }) => [alarm.deviceId, alarm.timeMs])).toEqual(
          reports.map(({ deviceId, timeMs }) => [deviceId, timeMs]),
        )
        await expect(broken).rejects.toMatchObject({ code: 'invalid_request' })
        expect(await countsOf({}, 'status')).toEqual({ open: 1500 })
      })

      it.each<[string, Partial<AlarmReport>]>([
        ['a time that is none', { timeMs: Number.NaN }],
        ['no device', { deviceId: null as unknown as string }],
        ['no moment of arrival', { receivedAtMs: Number.NaN }],
        ['a file without a name', { fileNames: [null as unknown as string] }],
      ])('says of %s that it can never be stored, and stores nothing of it', async (_, report) => {
        await expect(raise({ timeMs: T + 1 }, report)).rejects.toMatchObject({ code: 'invalid_request' })

        expect(await list()).toEqual([])
        expect(await countsOf({}, 'device')).toEqual({})
        expect((await raise({ timeMs: T + 1 }))[0]?.isNew).toBe(true)
      })

      it('answers the same when the same alarm is raised at once from many sides', async () => {
        const raised = await Promise.all(Array.from({ length: 10 }, (_, i) => raiseOne({ fileNames: [`${i}.mp4`] })))

        expect(new Set(raised.map(({ id }) => id)).size).toBe(1)
        expect((await records.find(raised[0]?.id ?? ''))?.files).toHaveLength(10)
      })

      it('answers nothing to nothing', async () => {
        expect(await records.raise([], MAX_FILES)).toEqual([])
      })
    })

    it('finds nothing under an id that is none', async () => {
      expect(await records.find('')).toBeUndefined()
      expect(await records.find('nothing')).toBeUndefined()
    })

    describe('listed', () => {
      it('goes by the time of the unit, newest or oldest first, whatever the order of arrival', async () => {
        await raise(...[3, 1, 2].map((n) => ({ timeMs: T + n, attributes: { n } })))

        expect(await keysOf({})).toEqual([3, 2, 1])
        expect(await keysOf({ order: 'oldest' })).toEqual([1, 2, 3])
      })

      it.each(['newest', 'oldest'] as const)(
        'pages %s first without gaps or repeats, also among equal times',
        async (order) => {
          const reports = Array.from({ length: 23 }, (_, n) => ({
            timeMs: T + (n % 3),
            eventKey: `${n}`,
            attributes: { n },
          }))
          await raise(...reports)
          const all = await list({ order })

          const seen: Alarm[] = []
          for (;;) {
            const last = seen.at(-1)
            const page = await list({ order, limit: 4, ...(last ? { after: last } : {}) })
            seen.push(...page)
            if (page.length < 4) break
            // Beyond what was seen on one side, and before it on the other.
            await raise({ timeMs: order === 'newest' ? T + 50 : T - 50, eventKey: `late ${seen.length}` })
          }

          expect(seen).toEqual(all)
          expect(new Set(seen.map(({ attributes }) => attributes?.n)).size).toBe(23)
        },
      )

      it('goes on behind an alarm that is gone', async () => {
        await raise(...['a', 'b', 'c'].map((deviceId, n) => ({ deviceId, attributes: { n }, timeMs: T + n })))
        const [, second] = await list()
        await records.eraseDevice('b')

        expect(await keysOf({ ...(second ? { after: second } : {}) })).toEqual([0])
      })

      it('lets nothing through an empty choice', async () => {
        await raise({})

        for (const filter of [{ deviceIds: [] }, { types: [] }, { statuses: [] }, { assignees: [] }]) {
          expect(await list(filter)).toEqual([])
          expect(await records.summarize(filter, 'type')).toEqual([])
        }
      })

      it('takes a time from its beginning to before its end', async () => {
        await raise(...[0, 1, 2, 3].map((n) => ({ timeMs: T + n, attributes: { n } })))

        expect(await keysOf({ fromMs: T + 1, toMs: T + 3 })).toEqual([2, 1])
        expect(await keysOf({ fromMs: T + 2 })).toEqual([3, 2])
        expect(await keysOf({ toMs: T + 1 })).toEqual([0])
        expect(await keysOf({ fromMs: T + 3, toMs: T + 3 })).toEqual([])
      })

      it('takes a box with its edges, across the date line, at the poles, and without those that have no position', async () => {
        const places = [
          [0, 179.9],
          [0, -179.9],
          [0, 180],
          [0, -180],
          [90, 0],
          [-90, 0],
          [48.1, 11.5],
          [0, 0],
        ]
        await raise(
          { eventKey: 'nowhere' },
          ...places.map(([latitude = 0, longitude = 0], n) => ({
            eventKey: `${n}`,
            latitude,
            longitude,
            attributes: { n },
          })),
        )
        const inBox = async (minLongitude: number, minLatitude: number, maxLongitude: number, maxLatitude: number) =>
          (await keysOf({ box: { minLongitude, minLatitude, maxLongitude, maxLatitude } })).sort()

        expect(await inBox(179, -1, -179, 1)).toEqual([0, 1, 2, 3])
        expect(await inBox(-180, -90, 180, 90)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
        expect(await inBox(11.5, 48.1, 11.5, 48.1)).toEqual([6])
        expect(await inBox(11.5000001, 48.1, 12, 49)).toEqual([])
        expect(await inBox(-10, 90, 10, 90)).toEqual([4])
        expect(await inBox(-10, -90, 10, -89)).toEqual([5])
        expect(await inBox(180, -1, -180, 1)).toEqual([2, 3])
      })

      it('finds beginnings of words in device id, name, plate, names of files and note, in any case', async () => {
        await opened.putDevice('box-12', { name: 'Lkw Straße Nord', plate: 'M-AB 123' })
        await opened.putDevice('box-13', { name: 'Other', plate: null })
        const [noted] = await raise(
          { deviceId: 'box-12', attributes: { n: 1 } },
          { deviceId: 'box-13', attributes: { n: 2 }, fileNames: ['Cam1_20261122-Überfall.MP4'] },
        )
        await records.edit(noted?.alarm.id ?? '', { note: 'Fahrer ist wohlauf, Ärger' }, 'ann', T)

        const finds = {
          'box-12': [1],
          BOX12: [1],
          '12': [1],
          strasse: [1],
          'STRAS nor': [1],
          mab123: [1],
          'm-ab 12': [1],
          '123': [1],
          wohl: [1],
          arger: [1],
          'fahrer nord': [1],
          cam1: [2],
          überf: [2],
          '20261122-uber': [2],
          mp4: [2],
          '  box ': [2, 1],
          'cam1 other': [2],
          'cam1 nord': [],
          ox: [],
          rd: [],
          '%': [],
          _: [],
          "'": [],
          '!': [],
        }
        for (const [text, expected] of Object.entries(finds)) {
          expect({ text, found: (await keysOf({ text })).sort().reverse() }).toEqual({ text, found: expected })
        }
        expect(await keysOf({ text: '  ' })).toHaveLength(2)
      })

      it('finds a device by the name that it has now, and by its id when it is not registered any more', async () => {
        await opened.putDevice('box-12', { name: 'North', plate: null })
        await raise({ deviceId: 'box-12', attributes: { n: 1 } })

        await opened.putDevice('box-12', { name: 'South', plate: 'X 9' })
        expect([await keysOf({ text: 'north' }), await keysOf({ text: 'south x9' })]).toEqual([[], [1]])
        await opened.removeDevice('box-12')
        expect([await keysOf({ text: 'south' }), await keysOf({ text: 'box 12' })]).toEqual([[], [1]])
      })

      it('finds words of files that were added, and of the note as it is now', async () => {
        const { id } = await raiseOne({ attributes: { n: 1 }, fileNames: ['front.mp4'] })
        await raise({ fileNames: ['rear.mp4'] })
        await records.edit(id, { note: 'first words' }, 'ann', T)
        await records.edit(id, { note: 'second front' }, 'ann', T + 1)

        expect(await keysOf({ text: 'rear' })).toEqual([1])
        expect(await keysOf({ text: 'front' })).toEqual([1])
        expect(await keysOf({ text: 'first' })).toEqual([])
        await records.edit(id, { note: null }, 'ann', T + 2)
        expect(await keysOf({ text: 'second' })).toEqual([])
        expect(await keysOf({ text: 'front' })).toEqual([1])
      })

      it('takes a note that grows beyond its column when it is folded, and finds it by most of its words', async () => {
        const { id } = await raiseOne({ fileNames: ['front.mp4'] })
        // Each letter becomes six, and of a word with hyphens each end is a word of its own.
        const note = `${Array.from({ length: 8 }, () => '㌖'.repeat(240)).join('-')} fine`

        expect(await records.edit(id, { note }, 'ann', T)).toMatchObject({ note })

        for (const text of ['front', 'fine', 'キロメートル'.repeat(240)]) {
          expect((await list({ text })).map((alarm) => alarm.id)).toEqual([id])
        }
        await records.edit(id, { note: '\u{FDFA}'.repeat(2000) }, 'ann', T)
        expect((await list({ text: '\u{FDFA}' })).map((alarm) => alarm.id)).toEqual([id])
        expect(await list({ text: 'fine' })).toEqual([])
      })

      it('tells words apart that differ only far behind', async () => {
        const long = 'x'.repeat(150)
        await raise(
          { eventKey: '1', fileNames: [`${long}a.mp4`], attributes: { n: 1 } },
          { eventKey: '2', fileNames: [`${long}b.mp4`], attributes: { n: 2 } },
        )

        expect(await keysOf({ text: `${long}b` })).toEqual([2])
        expect((await keysOf({ text: long.slice(0, 64) })).sort()).toEqual([1, 2])
        expect(await keysOf({ text: `${long}c` })).toEqual([])
      })
    })

    describe('joined to videos', () => {
      const files = async (id: string) => (await records.find(id))?.files

      it('has the video when the file was uploaded before', async () => {
        const video = await opened.showVideo(UNIT, 'a.mp4')
        await opened.showVideo('another', 'b.mp4')

        const alarm = await raiseOne({ fileNames: ['a.mp4', 'b.mp4'] })

        expect(alarm.files).toEqual([
          { fileName: 'a.mp4', videoId: video },
          { fileName: 'b.mp4', videoId: null },
        ])
        expect(await files(alarm.id)).toEqual(alarm.files)
        expect(await list({ hasVideo: true })).toEqual([alarm])
        expect(await list({ hasVideo: false })).toEqual([])
      })

      it('gets the video when the file comes later, in every alarm of the device that names it', async () => {
        const [first, second, , other] = await raise(
          { fileNames: ['a.mp4', 'b.mp4'] },
          { type: 'SOS', fileNames: ['b.mp4'] },
          { type: 'TOWING' },
          { deviceId: 'another', fileNames: ['b.mp4'] },
        )
        const video = await opened.showVideo(UNIT, 'b.mp4')

        const changed = await records.relink(UNIT, 'b.mp4')

        expect(changed.sort()).toEqual([first?.alarm.id, second?.alarm.id].sort())
        expect(await records.relink(UNIT, 'b.mp4')).toEqual([])
        expect(await files(first?.alarm.id ?? '')).toEqual([
          { fileName: 'a.mp4', videoId: null },
          { fileName: 'b.mp4', videoId: video },
        ])
        expect((await list({ hasVideo: true })).map(({ id }) => id).sort()).toEqual(changed)
        expect(await files(other?.alarm.id ?? '')).toEqual([{ fileName: 'b.mp4', videoId: null }])
      })

      it('parts from a video that was removed, and has one still if another file is uploaded', async () => {
        const [a, b] = [await opened.showVideo(UNIT, 'a.mp4'), await opened.showVideo(UNIT, 'b.mp4')]
        const alarm = await raiseOne({ fileNames: ['a.mp4', 'b.mp4'] })

        await opened.removeVideo(a)
        expect(await records.relink(UNIT, 'a.mp4')).toEqual([alarm.id])
        expect(await files(alarm.id)).toEqual([
          { fileName: 'a.mp4', videoId: null },
          { fileName: 'b.mp4', videoId: b },
        ])
        expect(await list({ hasVideo: true })).toHaveLength(1)
        await opened.removeVideo(b)
        expect(await records.relink(UNIT, 'b.mp4')).toEqual([alarm.id])
        expect(await list({ hasVideo: true })).toEqual([])
        expect(await list({ hasVideo: false })).toHaveLength(1)
      })

      it('knows which files are not joined as the videos are, among some and among all', async () => {
        // The video is shown, and gone, and nobody joins its alarms: what a kill between the two leaves.
        const reports = Array.from({ length: 2500 }, (_, i) => ({ timeMs: T + i, fileNames: [`${i}.mp4`, 'all.mp4'] }))
        for (let i = 0; i < reports.length; i += 500) await raise(...reports.slice(i, i + 500))
        const gone = await opened.showVideo(UNIT, 'gone.mp4')
        await raise({ type: 'SOS', timeMs: T + 100_000, fileNames: ['gone.mp4'] })
        await opened.removeVideo(gone)
        // The last one is the last of the first step.
        for (const name of ['7.mp4', '2400.mp4', '999.mp4']) await opened.showVideo(UNIT, name)
        await opened.reserveVideo(UNIT, '8.mp4')
        await opened.showVideo('another', '9.mp4')
        const file = (fileName: string, deviceId = UNIT) => ({ deviceId, fileName })
        const walk = async () => {
          const steps: string[][] = []
          let after: string | undefined
          do {
            const { files, next } = await records.findUnjoinedAfter(after)
            steps.push(files.map(({ fileName }) => fileName))
            after = next
          } while (after !== undefined)
          return steps
        }

        const asked = [file('7.mp4'), file('7.mp4'), file('8.mp4'), file('9.mp4'), file('gone.mp4'), file('7.mp4', 'x')]
        expect(await records.findUnjoined(asked)).toEqual([file('7.mp4'), file('gone.mp4')])
        expect(await records.findUnjoined([])).toEqual([])
        expect(await walk()).toEqual([['7.mp4', '999.mp4'], [], ['2400.mp4', 'gone.mp4']])
        for (const name of ['7.mp4', '999.mp4', '2400.mp4', 'gone.mp4'])
          expect(await records.relink(UNIT, name)).toHaveLength(1)
        expect((await walk()).flat()).toEqual([])
      })

      it('joins any number of alarms that name one file, some at a time', async () => {
        await raise(...Array.from({ length: 700 }, (_, i) => ({ timeMs: T + i, fileNames: ['all.mp4'] })))
        await opened.showVideo(UNIT, 'all.mp4')

        const joined = new Set<string>()
        for (let some = await records.relink(UNIT, 'all.mp4'); some.length > 0; ) {
          for (const id of some) joined.add(id)
          some = await records.relink(UNIT, 'all.mp4')
        }
        expect(joined.size).toBe(700)
        expect(await countsOf({ hasVideo: true }, 'status')).toEqual({ open: 700 })
      })

      it('does not take a reservation for a video', async () => {
        await opened.reserveVideo(UNIT, 'a.mp4')

        const alarm = await raiseOne({ fileNames: ['a.mp4'] })

        expect(alarm.files).toEqual([{ fileName: 'a.mp4', videoId: null }])
        expect(await records.relink(UNIT, 'a.mp4')).toEqual([])
      })

      it('has the video of a name that is added', async () => {
        await raise({ fileNames: ['a.mp4'] })
        const video = await opened.showVideo(UNIT, 'b.mp4')

        const [raised] = await raise({ fileNames: ['b.mp4'] })

        expect(raised?.alarm.files[1]).toEqual({ fileName: 'b.mp4', videoId: video })
        expect(await list({ hasVideo: true })).toEqual([raised?.alarm])
      })
    })

    describe('edited', () => {
      it('keeps every change with who made it and when', async () => {
        const { id } = await raiseOne()

        const first = await records.edit(id, { status: 'acknowledged', assignee: 'bob' }, 'ann', T + 5000)
        const second = await records.edit(id, { note: 'all is well', status: 'resolved' }, 'bob', T + 9000)
        const third = await records.edit(id, { assignee: null, status: 'open' }, 'ann', T + 9500)

        const steps = [
          { atMs: T + 1250, by: null, status: 'open', note: null, assignee: null },
          { atMs: T + 5000, by: 'ann', status: 'acknowledged', note: null, assignee: 'bob' },
          { atMs: T + 9000, by: 'bob', status: 'resolved', note: 'all is well', assignee: 'bob' },
          { atMs: T + 9500, by: 'ann', status: 'open', note: 'all is well', assignee: null },
        ]
        expect(first).toMatchObject({ status: 'acknowledged', assignee: 'bob', history: steps.slice(0, 2) })
        expect(second).toMatchObject({ status: 'resolved', note: 'all is well', history: steps.slice(0, 3) })
        expect(third).toMatchObject({ status: 'open', note: 'all is well', assignee: null, history: steps })
        expect(await records.find(id)).toEqual(third)
        expect(await list()).toEqual([third])
      })

      it('writes nothing when nothing changes', async () => {
        const { id } = await raiseOne()
        const before = await records.edit(id, { note: 'x' }, 'ann', T + 2000)

        expect(await records.edit(id, { note: 'x', status: 'open', assignee: null }, 'bob', T + 3000)).toEqual(before)
        expect(await records.edit(id, {}, 'bob', T + 3000)).toEqual(before)
        expect(await records.find(id)).toEqual(before)
      })

      it('loses no change of several at once', async () => {
        const { id } = await raiseOne()

        await Promise.all(Array.from({ length: 8 }, (_, i) => records.edit(id, { note: `note ${i}` }, 'ann', T + i)))

        const { note, history } = (await records.find(id)) ?? { history: [] }
        expect(history).toHaveLength(9)
        expect(history.at(-1)?.note).toBe(note)
      })

      it('is no change of an alarm that is not there', async () => {
        expect(await records.edit('nothing', { status: 'resolved' }, 'ann', T)).toBeUndefined()
      })

      it('stays when the unit reports the alarm again', async () => {
        const { id } = await raiseOne()
        const edited = await records.edit(id, { status: 'resolved', note: 'done' }, 'ann', T)

        const [again] = await raise({})

        expect(again).toEqual({ alarm: edited, isNew: false, isChanged: false })
      })
    })

    describe('summed up', () => {
      it('counts by type, device, UTC day and status', async () => {
        await raise(
          { timeMs: Date.parse('2026-11-21T23:59:59.999Z') },
          { timeMs: Date.parse('2026-11-22T00:00:00.000Z'), type: 'SOS', deviceId: 'b' },
          { timeMs: Date.parse('2026-11-22T00:30:00.000Z'), deviceId: 'b' },
          { timeMs: Date.parse('1969-12-31T23:59:59.999Z') },
          { timeMs: Date.parse('1969-12-30T00:00:00.000Z') },
          { timeMs: 8.64e15 },
        )
        const [last] = await list({ order: 'oldest', limit: 1 })
        await records.edit(last?.id ?? '', { status: 'resolved' }, 'ann', T)

        expect(await countsOf({}, 'type')).toEqual({ CRASH: 5, SOS: 1 })
        expect(await countsOf({}, 'device')).toEqual({ [UNIT]: 4, b: 2 })
        expect(await countsOf({}, 'status')).toEqual({ open: 5, resolved: 1 })
        expect(await countsOf({}, 'day')).toEqual({
          '1969-12-30': 1,
          '1969-12-31': 1,
          '2026-11-21': 1,
          '2026-11-22': 2,
          '+275760-09-13': 1,
        })
        expect(await countsOf({ deviceIds: ['b'] }, 'day')).toEqual({ '2026-11-22': 2 })
      })

      it('is empty where nothing is', async () => {
        for (const by of ['type', 'device', 'day', 'status'] as const)
          expect(await records.summarize({}, by)).toEqual([])
      })
    })

    it('erases a device with all that belongs to its alarms, and no other', async () => {
      const reports = Array.from({ length: 700 }, (_, i) => ({
        deviceId: i % 7 === 0 ? 'b' : 'a',
        timeMs: T + i,
        fileNames: ['x.mp4'],
      }))
      const raised = await raise(...reports)
      await records.edit(raised[1]?.alarm.id ?? '', { note: 'gone' }, 'ann', T)

      expect(await records.eraseDevice('a')).toBe(600)

      expect(await records.eraseDevice('a')).toBe(0)
      expect(await countsOf({}, 'device')).toEqual({ b: 100 })
      expect(await list({ text: 'x' })).toHaveLength(100)
      expect(await list({ text: 'gone' })).toEqual([])
      expect(await records.find(raised[1]?.alarm.id ?? '')).toBeUndefined()
      const again = await raiseOne({ deviceId: 'a', timeMs: T + 1 })
      expect(again).toMatchObject({ note: null, files: [], history: [{ by: null }] })
      expect((await list({ text: 'a' })).map(({ id }) => id)).toEqual([again.id])
    })
  })
}

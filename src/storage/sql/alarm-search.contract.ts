import fc from 'fast-check'
import { ALARM_STATUSES, type Alarm } from '../../model/alarm.js'
import { isInBox } from '../../model/position.js'
import { queryWordsOf, searchWordsOf } from '../../model/search-text.js'
import { type OpenedAlarmRecords, reportOf, T } from './alarm-records.contract.js'
import { ALARM_GROUPINGS, type AlarmFilter, type AlarmGrouping, type AlarmRecords } from './alarm-records.js'

const HOUR_MS = 3_600_000
/** More of them now and then: `ALARM_SEARCHES=300 npx jest typeorm-records`. */
const SEARCHES = Number(process.env.ALARM_SEARCHES ?? 12)
/** Enough of them with one word that it is not rare: a summary then begins otherwise. */
const DEVICES: Readonly<Record<string, { readonly name: string | null; readonly plate: string | null }>> = {
  a: { name: 'Truck North', plate: 'M-AB 12' },
  'b-12': { name: 'Straße', plate: null },
  '356938035643809': { name: null, plate: null },
  c: { name: 'Truck South', plate: null },
  d: { name: 'Truck South', plate: null },
  e: { name: 'Truck South fine', plate: 'M-AB 13' },
  f: { name: 'Truck South', plate: null },
  g: { name: 'Truck South', plate: null },
  h: { name: 'Truck South mp4', plate: null },
  i: { name: 'South', plate: 'truck' },
}
const DEVICE_IDS = Object.keys(DEVICES)
const TYPES = ['CRASH', 'SOS', 'TOWING'] as const
const FILES = ['front_1.mp4', 'rear-12.mp4', 'Ünfall.jpg', 'truck.mp4']
const NOTES = [null, 'fine', 'truck north is fine', '12']
const USERS = [null, 'ann', 'bob'] as const
const TEXTS = [
  'truck',
  'NORTH',
  '12',
  'mp4',
  'front',
  'unf',
  'straße',
  'fine',
  'm-ab',
  '3569',
  'zeppelin',
  'truck fine',
  'b 12 mp4',
  'south',
  'south truck',
  'truck mp4',
  'truck north mp4',
]

const seeded = fc.record({
  deviceId: fc.constantFrom(...DEVICE_IDS),
  type: fc.constantFrom(...TYPES),
  timeMs: fc.integer({ min: -80, max: 80 }).map((hours) => T + hours * HOUR_MS),
  place: fc.option(
    fc.record({
      latitude: fc.integer({ min: -3, max: 3 }),
      longitude: fc.constantFrom(-180, -179, -1, 0, 1, 179, 180),
    }),
  ),
  fileNames: fc.uniqueArray(fc.constantFrom(...FILES), { maxLength: 3 }),
  status: fc.constantFrom(...ALARM_STATUSES),
  note: fc.constantFrom(...NOTES),
  assignee: fc.constantFrom(...USERS),
})

const some = <T>(values: readonly [T, ...T[]]) => fc.uniqueArray(fc.constantFrom(...values), { minLength: 1 })
const moments = fc.integer({ min: -90, max: 90 }).map((hours) => T + hours * HOUR_MS)
const edges = fc.constantFrom(-180, -1, 0, 0.5, 1, 179.5, 180)
const latitudes = fc.integer({ min: -4, max: 4 })

/** @param rarity a field is in one of so many filters, 2 or more */
function filtersWith(rarity: number): fc.Arbitrary<AlarmFilter> {
  const maybe = <T>(values: fc.Arbitrary<T>) =>
    fc.oneof({ weight: rarity - 1, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: values })
  return fc
    .record({
      deviceIds: maybe(some(['a', 'b-12', '356938035643809', 'c', 'd', 'h', 'nobody'])),
      types: maybe(some([...TYPES, 'JAMMING'] as ['CRASH', 'SOS', 'TOWING', 'JAMMING'])),
      statuses: maybe(some([...ALARM_STATUSES] as ['open', 'acknowledged', 'resolved'])),
      assignees: maybe(some(['ann', 'bob', 'cy'])),
      fromMs: maybe(moments),
      toMs: maybe(moments),
      box: maybe(
        fc.record({ minLongitude: edges, maxLongitude: edges, minLatitude: latitudes, maxLatitude: latitudes }),
      ),
      hasVideo: maybe(fc.boolean()),
      text: maybe(fc.constantFrom(...TEXTS)),
    })
    .map((filter) => Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)))
}

/** Of many fields, of few, and of words that are looked for everywhere: what is begun with is another thing each time. */
const filters = fc.oneof(
  filtersWith(2),
  filtersWith(6),
  fc.tuple(filtersWith(12), fc.constantFrom(...TEXTS)).map(([filter, text]): AlarmFilter => ({ ...filter, text })),
)

/** Whatever is asked in whatever combination: the same as going through all alarms one by one. */
export function alarmSearchContract(database: string, open: () => Promise<OpenedAlarmRecords>): void {
  describe(`alarms on ${database}, asked for by any combination of filters`, () => {
    it(
      'are those that a plain reading of the filters lets through, in order, page by page and counted',
      async () => {
        await fc.assert(
          fc.asyncProperty(
            fc.array(seeded, { minLength: 20, maxLength: 60 }),
            fc.subarray(FILES),
            fc.array(filters, { minLength: 15, maxLength: 30 }),
            fc.integer({ min: 1, max: 7 }),
            async (alarms, uploaded, asked, limit) => {
              const opened = await open()
              try {
                const all = await seed(opened, alarms, uploaded)
                for (const filter of asked) await check(opened.records, all, filter, limit)
              } finally {
                await opened.close()
              }
            },
          ),
          { numRuns: SEARCHES },
        )
      },
      60_000 + SEARCHES * 3000,
    )
  })
}

/** @returns the alarms, oldest first */
async function seed(
  { records, showVideo, putDevice }: OpenedAlarmRecords,
  alarms: readonly (typeof seeded extends fc.Arbitrary<infer Seeded> ? Seeded : never)[],
  uploaded: readonly string[],
): Promise<Alarm[]> {
  for (const [deviceId, names] of Object.entries(DEVICES)) await putDevice(deviceId, names)
  const [before, after] = [uploaded.slice(0, 1), uploaded.slice(1)]
  for (const name of before) await showVideo('a', name)
  const raised = await records.raise(
    alarms.map(({ deviceId, type, timeMs, place, fileNames }, i) =>
      reportOf({ deviceId, type, timeMs, eventKey: `${i}`, fileNames, ...(place ?? {}) }),
    ),
    20,
  )
  for (const name of after) {
    await showVideo('a', name)
    await records.relink('a', name)
  }
  const all: Alarm[] = []
  for (const [i, { alarm }] of raised.entries()) {
    const { status, note, assignee } = alarms[i] ?? {}
    const edited = await records.edit(
      alarm.id,
      { ...(status ? { status } : {}), note: note ?? null, assignee: assignee ?? null },
      'ann',
      T,
    )
    if (edited) all.push(edited)
  }
  return all.sort((a, b) => a.timeMs - b.timeMs || (a.id < b.id ? -1 : 1))
}

async function check(records: AlarmRecords, all: readonly Alarm[], filter: AlarmFilter, limit: number): Promise<void> {
  const expected = all.filter((alarm) => passes(alarm, filter))
  for (const order of ['oldest', 'newest'] as const) {
    const found: Alarm[] = []
    for (;;) {
      const after = found.at(-1)
      const page = await records.list({ ...filter, order, limit, ...(after ? { after } : {}) })
      found.push(...page)
      if (page.length < limit) break
    }
    expect({ filter, found }).toEqual({ filter, found: order === 'oldest' ? expected : expected.toReversed() })
  }
  for (const by of ALARM_GROUPINGS) {
    const counts = await records.summarize(filter, by)
    const counted = Object.fromEntries(counts.map(({ key, count }) => [key, count]))
    expect({ filter, by, counted }).toEqual({ filter, by, counted: countBy(expected, by) })
    expect(Object.keys(counted)).toHaveLength(counts.length)
  }
}

function passes(alarm: Alarm, filter: AlarmFilter): boolean {
  const { deviceIds, types, statuses, assignees, fromMs = -Infinity, toMs = Infinity, box, hasVideo, text } = filter
  const isAmong = (values: readonly string[] | undefined, value: string | null) =>
    values === undefined || (value !== null && values.includes(value))
  return (
    isAmong(deviceIds, alarm.deviceId) &&
    isAmong(types, alarm.type) &&
    isAmong(statuses, alarm.status) &&
    isAmong(assignees, alarm.assignee) &&
    alarm.timeMs >= fromMs &&
    alarm.timeMs < toMs &&
    (box === undefined ||
      (alarm.latitude !== null && alarm.longitude !== null && isInBox(box, alarm.latitude, alarm.longitude))) &&
    (hasVideo === undefined || alarm.files.some(({ videoId }) => videoId !== null) === hasVideo) &&
    (text === undefined || hasWords(alarm, text))
  )
}

function hasWords({ deviceId, files, note }: Alarm, text: string): boolean {
  const { name = null, plate = null } = DEVICES[deviceId] ?? {}
  const labels = [deviceId, plate, ...files.map(({ fileName }) => fileName)]
  const words = searchWordsOf({ labels, prose: [name, note] })
  return queryWordsOf(text).every((sought) => words.some((word) => word.startsWith(sought)))
}

function countBy(alarms: readonly Alarm[], by: AlarmGrouping): Record<string, number> {
  const keyOf = {
    type: ({ type }: Alarm) => type,
    device: ({ deviceId }: Alarm) => deviceId,
    day: ({ timeMs }: Alarm) => new Date(timeMs).toISOString().slice(0, 10),
    status: ({ status }: Alarm) => status,
  }[by]
  const counts: Record<string, number> = {}
  for (const alarm of alarms) counts[keyOf(alarm)] = (counts[keyOf(alarm)] ?? 0) + 1
  return counts
}

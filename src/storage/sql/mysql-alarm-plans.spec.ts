import { SEED_END_MS, SEED_USERS, seedDeviceId, seedDeviceName } from '../../../bench/seed-rows.js'
import { seedServerAlarms } from '../../../bench/seed-server-alarms.js'
import { describeOn } from '../../../test/stores/describe-on.js'
import { type Access, explain } from '../../../test/stores/explain.js'
import { openFreshMysql } from '../../../test/stores/open-mysql-data-source.js'
import { ALARM_TYPES } from '../../model/alarm.js'
import { reportOf } from './alarm-records.contract.js'
import { ALARM_GROUPINGS, type AlarmFilter } from './alarm-records.js'
import { TypeormAlarmRecords } from './typeorm-alarm-records.js'

/** Enough that reading all of them would look dear to a planner, and made in seconds. */
const PLAN = { alarms: 60_000, devices: 200, days: 90 }
const DAY_MS = 86_400_000
const CITY = { minLongitude: 8, minLatitude: 50, maxLongitude: 8.25, maxLatitude: 50.25 }
const A_DAY = { fromMs: SEED_END_MS - 9 * DAY_MS, toMs: SEED_END_MS - 8 * DAY_MS }
const RARE = { types: ['JAMMING'], statuses: ['resolved'], hasVideo: true } as const

const LIST = /^SELECT a\.id, a\.device_id/
const COUNTS = /COUNT\(\*\) AS n FROM/
const ROWS = 'a eq_ref PRIMARY'
const PLACE = 'a range alarms_by_place'
const WORD = 'w range PRIMARY'
/** Few, and read to the end wherever words of devices are asked for. */
const OF_DEVICES = new Set(['alarm_devices', 'known', 'device', 'd'])

describeOn('SQL_URL', `plans of lists and summaries of ${PLAN.alarms} alarms on MySQL or MariaDB`, () => {
  let database: Awaited<ReturnType<typeof openFreshMysql>>
  let alarms: TypeormAlarmRecords

  beforeAll(async () => {
    database = await openFreshMysql(2)
    await seedServerAlarms(database.url, PLAN)
    alarms = new TypeormAlarmRecords(database.dataSource)
  }, 120_000)
  afterAll(() => database?.close())

  const plansOf = (call: () => Promise<unknown>, pattern: RegExp) => explain(database.dataSource, call, pattern)
  const list = (filter: AlarmFilter, order: 'newest' | 'oldest') => () => alarms.list({ order, limit: 50, ...filter })

  it.each<[string, AlarmFilter, string[]]>([
    ['nothing', {}, ['a index PRIMARY']],
    ['a day', A_DAY, ['a range PRIMARY']],
    ['a device', { deviceIds: [seedDeviceId(3)] }, ['a ref alarms_by_device']],
    ['a device and a day', { deviceIds: [seedDeviceId(3)], ...A_DAY }, ['a range alarms_by_device']],
    [
      'a device and whatever else columns hold',
      { deviceIds: [seedDeviceId(3)], types: ['SOS'], statuses: ['open'], hasVideo: true, assignees: ['ann'] },
      ['a ref alarms_by_device', ROWS],
    ],
    ['devices', { deviceIds: [seedDeviceId(3), seedDeviceId(4)] }, ['a ref alarms_by_device', ROWS]],
    ['a type', { types: ['SOS'] }, ['a ref alarms_by_type', ROWS]],
    ['every type', { types: ALARM_TYPES }, ['a index PRIMARY']],
    ['a type, a status and video', RARE, ['a ref alarms_by_type']],
    ['a type, a status, video and a day', { ...RARE, ...A_DAY }, ['a range alarms_by_type']],
    ['a status', { statuses: ['open'] }, ['a ref alarms_by_status', ROWS]],
    ['video', { hasVideo: true }, ['a ref alarms_by_status', ROWS]],
    ['a status and video', { statuses: ['open'], hasVideo: true }, ['a ref alarms_by_status']],
    ['an assignee', { assignees: SEED_USERS.slice(0, 1) }, ['a ref alarms_by_assignee', ROWS]],
    [
      'an assignee and a status',
      { assignees: SEED_USERS.slice(0, 1), statuses: ['resolved'] },
      ['a ref alarms_by_assignee'],
    ],
    ['a rare type and an assignee', { assignees: SEED_USERS.slice(0, 1), ...RARE }, ['a ref alarms_by_type', ROWS]],
    ['a box', { box: CITY }, [PLACE, ROWS]],
    ['a box around nearly all', { box: { ...CITY, minLongitude: 6.5, maxLongitude: 15 } }, [PLACE, ROWS]],
    ['a box and a common status', { box: CITY, statuses: ['resolved'] }, [PLACE, ROWS]],
    ['a box and a rare type', { box: CITY, ...RARE }, ['a ref alarms_by_type', ROWS]],
    ['a rare word', { text: 'aquaplan' }, [WORD, ROWS]],
    ['a rare word and a status', { text: 'aquaplan', statuses: ['resolved'] }, [WORD, ROWS]],
    ['a word of few devices', { text: seedDeviceId(3) }, [WORD, 'a ref alarms_by_device', ROWS]],
    ['a word of all devices', { text: 'truck' }, ['a index PRIMARY']],
    ['a common word and a rare type', { text: seedDeviceName(3).slice(0, 5), ...RARE }, ['a ref alarms_by_type', ROWS]],
  ])('a list by %s reads by an index, in order', async (_name, filter, access) => {
    for (const order of ['newest', 'oldest'] as const) {
      const plans = await plansOf(list(filter, order), LIST)

      expect(plans.length).toBeGreaterThan(0)
      expect(accessOf(plans)).toEqual(new Set(access))
      expect(plans.flat().filter(readsTooMuch)).toEqual([])
      expect(sorted(plans)).toEqual(access.filter((one) => one === PLACE || one === WORD))
    }
  })

  it.each<[string, AlarmFilter, string]>([
    ['an empty box', { box: { ...CITY, minLongitude: 20, maxLongitude: 25 } }, PLACE],
    ['a word that is nowhere', { text: 'zeppelin' }, WORD],
  ])('a list by %s searches the blocks once and reads none', async (_name, filter, access) => {
    const blocks = await plansOf(list(filter, 'oldest'), /^SELECT block FROM \(/)

    expect(blocks).toHaveLength(1)
    expect(await plansOf(list(filter, 'oldest'), LIST)).toEqual([])
    // What is empty a server may know from its look at the index, and then says of no way to it.
    expect([new Set([access]), new Set()]).toContainEqual(accessOf(blocks))
  })

  it.each(ALARM_GROUPINGS)('a summary by %s over all needs no alarm, only an index', async (by) => {
    const plans = await plansOf(() => alarms.summarize({}, by), COUNTS)

    expect(accessOf(plans)).toEqual(new Set([by === 'device' ? 'a range alarms_by_device' : 'a ref alarms_by_type']))
    expect(plans.flat().filter(({ extra }) => !extra.includes('Using index'))).toEqual([])
    expect(plans.flat().filter(({ extra }) => extra.includes('filesort'))).toEqual([])
  })

  it.each(ALARM_GROUPINGS)('a summary by %s of what many devices are called needs no alarm of theirs', async (by) => {
    const plans = (await plansOf(() => alarms.summarize({ text: 'hamburg' }, by), COUNTS)).flat()
    const ofDevices = plans.filter(({ key }) => key === 'alarms_by_device')

    expect(ofDevices).toHaveLength(13)
    expect(ofDevices.filter(({ extra }) => !extra.includes('Using index'))).toEqual([])
    expect(plans.filter(readsTooMuch)).toEqual([])
  })

  it.each(ALARM_GROUPINGS)('a summary by %s of a box needs no alarm, only the index of places', async (by) => {
    const plans = await plansOf(() => alarms.summarize({ box: CITY }, by), COUNTS)

    expect(accessOf(plans)).toEqual(new Set([PLACE]))
    expect(plans.flat().filter(({ extra }) => !extra.includes('Using index'))).toEqual([])
  })

  it.each<[string, (id: string) => Promise<unknown>, RegExp, string[]]>([
    ['an alarm is found', (id) => alarms.find(id), /FROM alarms/, ['alarms const PRIMARY']],
    [
      'reports find what is there',
      (id) => alarms.raise([reportOf({ fileNames: ['a'] }), reportOf({ deviceId: id, fileNames: ['b'] })], 20),
      /^\(SELECT 'alarm' AS kind/,
      ['a range alarms_identity', 'alarm_blocks const PRIMARY', 'v range videos_by_name'],
    ],
    [
      'a video finds its alarms',
      () => alarms.relink(seedDeviceId(3), 'a'),
      /FROM alarm_files/,
      ['f ref alarm_files_by_name', 'v const videos_by_name'],
    ],
    [
      'what reports name is compared with the videos',
      () =>
        alarms.findUnjoined([
          { deviceId: seedDeviceId(3), fileName: 'a' },
          { deviceId: seedDeviceId(4), fileName: 'b' },
        ]),
      /FROM alarm_files/,
      ['f range alarm_files_by_name', 'v eq_ref videos_by_name'],
    ],
    [
      'the sweep goes on',
      (id) => alarms.findUnjoinedAfter(id),
      /FROM alarm_files/,
      ['alarm_files range PRIMARY', 'f range PRIMARY', 'v eq_ref videos_by_name'],
    ],
    [
      'some alarms of a device are erased',
      (id) => alarms.eraseDevice(id),
      /^SELECT id, block, search FROM alarms/,
      ['a ref alarms_by_device'],
    ],
  ])('%s by a key', async (_name, call, pattern, access) => {
    const [newest] = await alarms.list({ order: 'newest', limit: 1 })
    const plans = await plansOf(() => call(newest?.id ?? ''), pattern)

    expect(accessOf(plans)).toEqual(new Set(access))
  })
})

/** Each table with how it is read, but those of devices, for which servers choose between several ways that are as good. */
function accessOf(plans: readonly (readonly Access[])[]): Set<string> {
  const accesses = plans.flat().filter(({ table }) => !OF_DEVICES.has(table))
  return new Set(accesses.map(({ table, type, key }) => `${table} ${type} ${key}`))
}

function readsTooMuch({ table, type, key }: Access): boolean {
  if (OF_DEVICES.has(table)) return false
  // By time a list walks the key itself, as far as the page is long.
  return type === 'ALL' || (type === 'index' && key !== 'PRIMARY')
}

/** What is sorted once it was found: of a box or of a word, in some blocks. */
function sorted(plans: readonly (readonly Access[])[]): string[] {
  const sorts = plans.flat().filter(({ table, extra }) => extra.includes('filesort') && table !== 'd')
  return [...accessOf([sorts])]
}

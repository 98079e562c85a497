import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { DataSource } from 'typeorm'
import { seedAlarms } from '../../../bench/seed-alarms.js'
import { SEED_END_MS, SEED_USERS, seedDeviceId, seedDeviceName } from '../../../bench/seed-rows.js'
import { ALARM_TYPES } from '../../model/alarm.js'
import { ALARM_GROUPINGS, type AlarmFilter } from './alarm-records.js'
import { SQL_FILE } from './open-sqlite-records.js'
import { openSqliteDataSource } from './sqlite-data-source.js'
import { SqliteQueryRunner } from './sqlite-query-runner.js'
import { TypeormAlarmRecords } from './typeorm-alarm-records.js'

/** A tenth of what the bench has: the shapes and plans are the same, and it is made in seconds. */
const PLAN = { alarms: 100_000, devices: 200, days: 90 }
const DAY_MS = 86_400_000
const CITY = { minLongitude: 8, minLatitude: 50, maxLongitude: 8.25, maxLatitude: 50.25 }

const BY_TIME = 'SCAN a USING INDEX sqlite_autoindex_alarms_1'
const BY_ID = 'SEARCH a USING INDEX sqlite_autoindex_alarms_1 (id=?)'
const IN_TIME = 'SEARCH a USING INDEX sqlite_autoindex_alarms_1 (id>? AND id<?)'
const WORD = 'SEARCH w USING PRIMARY KEY (block=? AND word>? AND word<?)'
const PLACE = 'SEARCH a USING COVERING INDEX alarms_by_place (block=? AND cell>? AND cell<?)'
const TYPE = 'SEARCH a USING INDEX alarms_by_type (type=? AND status=? AND has_video=?)'
const STATUS = 'SEARCH a USING INDEX alarms_by_status (status=? AND has_video=?)'

describe(`plans of lists and summaries of ${PLAN.alarms} alarms on SQLite`, () => {
  let directory: string
  let dataSource: DataSource
  let alarms: TypeormAlarmRecords

  beforeAll(async () => {
    directory = mkdtempSync(path.join(tmpdir(), 'milepost-alarm-plans-'))
    await seedAlarms(directory, PLAN)
    dataSource = await openSqliteDataSource({ file: path.join(directory, SQL_FILE) })
    alarms = new TypeormAlarmRecords(dataSource)
  }, 120_000)
  afterAll(async () => {
    await dataSource?.destroy()
    rmSync(directory, { recursive: true, force: true })
  })

  /** Plans of the statements that match, each step once. */
  async function plansOf(call: () => Promise<unknown>, pattern: RegExp): Promise<string[][]> {
    const query = jest.spyOn(SqliteQueryRunner.prototype, 'query')
    try {
      await call()
      const plans: string[][] = []
      for (const [sql, parameters] of query.mock.calls.filter(([sql]) => pattern.test(sql))) {
        const steps = await dataSource.query<{ detail: string }[]>(`EXPLAIN QUERY PLAN ${sql}`, parameters as unknown[])
        plans.push([...new Set(steps.map(({ detail }) => detail))])
      }
      return plans
    } finally {
      query.mockRestore()
    }
  }

  /** How the list's one statement gets at rows of tables and indexes. */
  async function accessOf(filter: AlarmFilter): Promise<string[]> {
    const list = () => alarms.list({ order: 'newest', limit: 50, ...filter })
    const plans = await plansOf(list, /^SELECT a\.id, a\.device_id/)
    expect(plans).toHaveLength(1)
    return plans.flat().filter((step) => /^(SEARCH|SCAN) (a|b|d|w|alarms|alarm_\w+)\b/.test(step))
  }

  const aDay = { fromMs: SEED_END_MS - 9 * DAY_MS, toMs: SEED_END_MS - 8 * DAY_MS }

  it.each<[string, AlarmFilter, string[]]>([
    ['nothing', {}, [BY_TIME]],
    ['a day', aDay, [IN_TIME]],
    ['a device', { deviceIds: [seedDeviceId(3)] }, ['SEARCH a USING INDEX alarms_by_device (device_id=?)']],
    [
      'a device and a day',
      { deviceIds: [seedDeviceId(3)], ...aDay },
      ['SEARCH a USING INDEX alarms_by_device (device_id=? AND day>? AND day<?)'],
    ],
    [
      'a device and whatever else columns hold',
      { deviceIds: [seedDeviceId(3)], types: ['SOS'], statuses: ['open'], hasVideo: true, assignees: ['ann'] },
      ['SEARCH a USING INDEX alarms_by_device (device_id=?)'],
    ],
    [
      'devices',
      { deviceIds: [seedDeviceId(3), seedDeviceId(4)] },
      ['SEARCH a USING COVERING INDEX alarms_by_device (device_id=?)', BY_ID],
    ],
    [
      'a type',
      { types: ['SOS'] },
      ['SEARCH a USING COVERING INDEX alarms_by_type (type=? AND status=? AND has_video=?)', BY_ID],
    ],
    ['every type', { types: ALARM_TYPES }, [BY_TIME]],
    ['a type, a status and video', { types: ['SOS'], statuses: ['open'], hasVideo: true }, [TYPE]],
    [
      'a type, a status, video and a day',
      { types: ['SOS'], statuses: ['open'], hasVideo: true, ...aDay },
      ['SEARCH a USING INDEX alarms_by_type (type=? AND status=? AND has_video=? AND day>? AND day<?)'],
    ],
    [
      'a status',
      { statuses: ['open'] },
      ['SEARCH a USING COVERING INDEX alarms_by_status (status=? AND has_video=?)', BY_ID],
    ],
    ['video', { hasVideo: true }, ['SEARCH a USING COVERING INDEX alarms_by_status (status=? AND has_video=?)', BY_ID]],
    ['a status and video', { statuses: ['open'], hasVideo: true }, [STATUS]],
    [
      'an assignee',
      { assignees: SEED_USERS.slice(0, 1) },
      ['SEARCH a USING COVERING INDEX alarms_by_assignee (assignee=? AND status=?)', BY_ID],
    ],
    [
      'an assignee and a status',
      { assignees: SEED_USERS.slice(0, 1), statuses: ['resolved'] },
      ['SEARCH a USING INDEX alarms_by_assignee (assignee=? AND status=?)'],
    ],
    [
      'a rare type and an assignee',
      { assignees: SEED_USERS.slice(0, 1), types: ['JAMMING'], statuses: ['resolved'], hasVideo: true },
      [TYPE],
    ],
    ['a box', { box: CITY }, ['SCAN b', PLACE, BY_ID]],
    ['a box and a common status', { box: CITY, statuses: ['resolved'] }, ['SCAN b', PLACE, BY_ID]],
    ['a box and a rare type', { box: CITY, types: ['JAMMING'], statuses: ['resolved'], hasVideo: true }, [TYPE]],
    ['a rare word', { text: 'aquaplan' }, ['SCAN b', WORD, BY_ID]],
    [
      'a rare word in a day',
      { text: 'aquaplan', ...aDay },
      ['SEARCH b USING PRIMARY KEY (block>? AND block<?)', WORD, BY_ID],
    ],
    [
      'a word of few devices',
      { text: seedDeviceId(3) },
      ['SCAN b', WORD, 'SCAN d', 'SEARCH a USING COVERING INDEX alarms_by_device (device_id=? AND day>?)', BY_ID],
    ],
    ['a word of all devices', { text: 'truck' }, [BY_TIME, 'SCAN alarm_devices']],
    [
      'two words that many devices have but none both',
      { text: 'hamburg berlin' },
      ['SCAN b', WORD, BY_ID, 'SCAN alarm_devices'],
    ],
    [
      'a common word and a rare type',
      { text: seedDeviceName(3).slice(0, 5), types: ['JAMMING'], statuses: ['resolved'], hasVideo: true },
      [TYPE, 'SCAN alarm_devices'],
    ],
  ])('a list by %s reads by an index, in order', async (_name, filter, access) => {
    expect((await accessOf(filter)).sort()).toEqual([...access].sort())
  })

  it('no list sorts more than what its stretches, blocks or devices give', async () => {
    const list = () => alarms.list({ order: 'oldest', limit: 50, types: ['OVERSPEED'] })
    const [steps = []] = await plansOf(list, /^SELECT a\.id, a\.device_id/)

    expect(steps.filter((step) => step.startsWith('SCAN a') || step.startsWith('SCAN alarms'))).toEqual([])
    const device = () => alarms.list({ order: 'oldest', limit: 50, deviceIds: [seedDeviceId(3)] })
    expect(await plansOf(device, /^SELECT a\.id, a\.device_id/)).toEqual([
      ['SEARCH a USING INDEX alarms_by_device (device_id=?)'],
    ])
  })

  it.each(ALARM_GROUPINGS)('a summary by %s over all needs no alarm, only an index', async (by) => {
    const plans = await plansOf(() => alarms.summarize({}, by), /COUNT\(\*\) AS n FROM alarms a/)

    expect([...new Set(plans.flat())]).toEqual([
      by === 'device'
        ? 'SEARCH a USING COVERING INDEX alarms_by_device (device_id>? AND device_id<?)'
        : 'SEARCH a USING COVERING INDEX alarms_by_type (type=? AND status=? AND has_video=?)',
    ])
  })

  it.each(ALARM_GROUPINGS)('a summary by %s of what many devices are called needs no alarm of theirs', async (by) => {
    const counts = /COUNT\(\*\) AS n FROM/
    const some = (await plansOf(() => alarms.summarize({ text: 'hamburg' }, by), counts)).flat()
    const all = await plansOf(() => alarms.summarize({ text: 'truck' }, by), counts)

    expect(some.filter((step) => step.includes(' alarms_by_device ')).map((step) => step.split(' (')[0])).toEqual(
      Array(13).fill('SEARCH a USING COVERING INDEX alarms_by_device'),
    )
    expect(some.filter((step) => / a USING (INDEX|PRIMARY)/.test(step))).toEqual([BY_ID])
    expect(all.flat().filter((step) => / a /.test(step) && !step.includes(' USING COVERING INDEX '))).toEqual([])
  })

  it.each<[string, (id: string) => Promise<unknown>, RegExp, string[]]>([
    [
      'an alarm is found',
      (id) => alarms.find(id),
      /FROM alarms/,
      ['SEARCH alarms USING INDEX sqlite_autoindex_alarms_1 (id=?)'],
    ],
    [
      'a report finds what is there',
      () =>
        alarms.raise(
          [
            {
              deviceId: 'x',
              type: 'SOS',
              timeMs: 0,
              eventKey: '',
              receivedAtMs: 0,
              timeSuspect: false,
              latitude: null,
              longitude: null,
              speedKmh: null,
              attributes: null,
              fileNames: ['a'],
            },
          ],
          20,
        ),
      /^SELECT .* FROM (alarms a|videos v) WHERE/,
      [
        'SEARCH a USING INDEX alarms_identity (device_id=? AND type=? AND time_ms=? AND event_key=?)',
        'SEARCH v USING INDEX videos_by_name (device_id=? AND file_name=?)',
      ],
    ],
    [
      'a video finds its alarms',
      () => alarms.relink('x', 'a'),
      /FROM alarm_files/,
      [
        'SEARCH f USING INDEX alarm_files_by_name (device_id=? AND file_name=?)',
        'SEARCH v USING INDEX videos_by_name (device_id=? AND file_name=?) LEFT-JOIN',
      ],
    ],
    [
      'what a report names is compared with the videos',
      () =>
        alarms.findUnjoined([
          { deviceId: 'x', fileName: 'a' },
          { deviceId: 'y', fileName: 'b' },
        ]),
      /FROM alarm_files/,
      [
        'SEARCH f USING INDEX alarm_files_by_name (device_id=? AND file_name=?)',
        'SEARCH v USING INDEX videos_by_name (device_id=? AND file_name=?) LEFT-JOIN',
      ],
    ],
    [
      'the sweep goes on',
      (id) => alarms.findUnjoinedAfter(id),
      /FROM alarm_files/,
      [
        'SEARCH alarm_files USING PRIMARY KEY (alarm_id>?)',
        'SEARCH f USING PRIMARY KEY (alarm_id>?)',
        'SEARCH v USING INDEX videos_by_name (device_id=? AND file_name=?) LEFT-JOIN',
      ],
    ],
  ])('%s by a key', async (_name, call, pattern, steps) => {
    const [newest] = await alarms.list({ order: 'newest', limit: 1 })
    const plans = await plansOf(() => call(newest?.id ?? ''), pattern)

    expect([...new Set(plans.flat().filter((step) => step.startsWith('SEARCH') || step.startsWith('SCAN')))]).toEqual(
      expect.arrayContaining(steps),
    )
  })
})

import type { DataSource } from 'typeorm'
import { seedDeviceId } from '../../../bench/seed-rows.js'
import { seedServerAlarms } from '../../../bench/seed-server-alarms.js'
import { describeOn } from '../../../test/stores/describe-on.js'
import { explain } from '../../../test/stores/explain.js'
import { openFreshMysql } from '../../../test/stores/open-mysql-data-source.js'
import { TypeormAuditRecords } from './typeorm-audit-records.js'
import { TypeormCommandRecords } from './typeorm-command-records.js'
import { TypeormDeviceRecords } from './typeorm-device-records.js'
import { TypeormIdempotencyRecords } from './typeorm-idempotency-records.js'
import { TypeormUploadRecords } from './typeorm-upload-records.js'
import { TypeormUserRecords } from './typeorm-user-records.js'
import { TypeormVideoRecords } from './typeorm-video-records.js'
import type { VideoQuery } from './video-records.js'

const PLAN = { alarms: 20_000, devices: 2000, days: 90 }
const DAY_MS = 86_400_000
const T = Date.parse('2026-11-01T00:00:00.000Z')
const AT = { atMs: T, id: 'x' }
const CREATED = { createdAtMs: T, id: 'x' }
const [DEVICE, OTHER] = [seedDeviceId(3), seedDeviceId(4)]
/** `index` is a walk along it: no list does it but one of everything. */
const SEARCHES = ['const', 'ref', 'range', 'index']

/** Rows of the other tables, one for each alarm. */
const FROM_ALARMS = [
  `INSERT INTO audit (id, at, actor, action, target, detail, address)
    SELECT id, FROM_UNIXTIME(time_ms / 1000), COALESCE(assignee, 'admin'), type, device_id, NULL, NULL FROM alarms`,
  `INSERT INTO commands (id, device_id, type, params, status, created_by, created_at, expires_at, history, due_at, revision)
    SELECT id, device_id, 'RESET', '{}', IF(status = 'open', 'queued', 'done'), 'admin', FROM_UNIXTIME(time_ms / 1000),
      FROM_UNIXTIME(time_ms / 1000), '[]', IF(status = 'open', FROM_UNIXTIME(time_ms / 1000), NULL), 1 FROM alarms`,
  `INSERT INTO videos (id, device_id, file_name, bytes, sha256, content_type, status, reserved_at, uploaded_at, listed_at, is_kept,
      has_thumbnail, screenshots, attempts)
    SELECT id, device_id, CONCAT(id, '.mp4'), 1, '0', 'video/mp4', IF(has_video, 'ready', 'processing'), FROM_UNIXTIME(time_ms / 1000),
      FROM_UNIXTIME(time_ms / 1000), time_ms, 0, 1, 3, 1 FROM alarms`,
  'ANALYZE TABLE audit, commands, videos, devices',
]

type Records = ReturnType<typeof recordsOn>

function recordsOn(dataSource: DataSource) {
  return {
    devices: new TypeormDeviceRecords(dataSource),
    users: new TypeormUserRecords(dataSource),
    audit: new TypeormAuditRecords(dataSource),
    keys: new TypeormIdempotencyRecords(dataSource),
    commands: new TypeormCommandRecords(dataSource),
    videos: new TypeormVideoRecords(dataSource),
    uploads: new TypeormUploadRecords(dataSource),
  }
}

describeOn('SQL_URL', 'query plans on MySQL or MariaDB', () => {
  let database: Awaited<ReturnType<typeof openFreshMysql>>
  let records: Records

  beforeAll(async () => {
    database = await openFreshMysql(2)
    await seedServerAlarms(database.url, PLAN)
    for (const statement of FROM_ALARMS) await database.dataSource.query(statement)
    records = recordsOn(database.dataSource)
  }, 120_000)
  afterAll(() => database?.close())

  it.each<[string, string, (records: Records) => Promise<unknown>, string]>([
    ['devices', 'all', ({ devices }) => devices.list({ limit: 50 }), 'PRIMARY'],
    [
      'devices',
      'after an id',
      ({ devices }) => devices.list({ limit: 50, afterDeviceId: seedDeviceId(900) }),
      'PRIMARY',
    ],
    [
      'devices',
      'a rare status',
      ({ devices }) => devices.list({ limit: 50, statuses: ['disabled'] }),
      'devices_by_status',
    ],
    [
      'devices',
      'a common status',
      ({ devices }) => devices.list({ limit: 50, statuses: ['active'] }),
      'PRIMARY devices_by_status',
    ],
    [
      'devices',
      'both statuses',
      ({ devices }) => devices.list({ limit: 50, statuses: ['active', 'disabled'] }),
      'PRIMARY',
    ],
    [
      'devices',
      'a common kind',
      ({ devices }) => devices.list({ limit: 50, kinds: ['imei'] }),
      'PRIMARY devices_by_kind',
    ],
    ['devices', 'text', ({ devices }) => devices.list({ limit: 50, text: 'hamburg' }), 'PRIMARY'],
    [
      'devices',
      'except some',
      ({ devices }) => devices.list({ limit: 50, except: [DEVICE, seedDeviceId(4)] }),
      'PRIMARY',
    ],
    [
      'devices',
      'among some',
      ({ devices }) => devices.list({ limit: 50, among: [DEVICE, seedDeviceId(4)] }),
      'PRIMARY',
    ],
    [
      'devices',
      'some with a status',
      ({ devices }) => devices.list({ limit: 50, among: [DEVICE, OTHER], statuses: ['active'] }),
      'PRIMARY',
    ],
    ['devices', 'an id', ({ devices }) => devices.find(DEVICE), 'PRIMARY'],
    ['devices', 'that were heard', ({ devices }) => devices.touch([{ deviceId: DEVICE, atMs: T }]), 'PRIMARY'],
    ['audit', 'all', ({ audit }) => audit.list({ limit: 50 }), 'audit_by_time'],
    ['audit', 'a page', ({ audit }) => audit.list({ limit: 50, before: AT }), 'audit_by_time'],
    ['audit', 'a time', ({ audit }) => audit.list({ limit: 50, fromMs: T, toMs: T + DAY_MS }), 'audit_by_time'],
    ['audit', 'a user', ({ audit }) => audit.list({ limit: 50, by: ['dispatcher1'] }), 'audit_by_actor'],
    [
      'audit',
      'a user, page',
      ({ audit }) => audit.list({ limit: 50, by: ['dispatcher1'], before: AT }),
      'audit_by_actor',
    ],
    ['audit', 'a rare action', ({ audit }) => audit.list({ limit: 50, actions: ['SOS'] }), 'audit_by_action'],
    ['audit', 'a common action', ({ audit }) => audit.list({ limit: 50, actions: ['OVERSPEED'] }), 'audit_by_action'],
    [
      'audit',
      'an action, time',
      ({ audit }) => audit.list({ limit: 50, actions: ['OVERSPEED'], fromMs: T }),
      'audit_by_action',
    ],
    [
      'audit',
      'a user and an action',
      ({ audit }) => audit.list({ limit: 50, by: ['dispatcher1'], actions: ['OVERSPEED'] }),
      'audit_by_actor audit_by_action',
    ],
    [
      'audit',
      'common users',
      ({ audit }) => audit.list({ limit: 50, by: ['dispatcher1', 'dispatcher2'] }),
      'audit_by_time audit_by_actor',
    ],
    ['audit', 'what is old', ({ audit }) => audit.removeOlderThan(1), 'audit_by_time'],
    ['commands', 'all', ({ commands }) => commands.list({ deviceId: DEVICE, limit: 50 }), 'commands_by_device'],
    [
      'commands',
      'a page',
      ({ commands }) => commands.list({ deviceId: DEVICE, limit: 50, before: CREATED }),
      'commands_by_device',
    ],
    [
      'commands',
      'a state',
      ({ commands }) => commands.list({ deviceId: DEVICE, limit: 50, statuses: ['done'] }),
      'commands_by_status commands_by_device',
    ],
    [
      'commands',
      'a state, page',
      ({ commands }) => commands.list({ deviceId: DEVICE, limit: 50, statuses: ['done'], before: CREATED }),
      'commands_by_status commands_by_device',
    ],
    [
      'commands',
      'states',
      ({ commands }) => commands.list({ deviceId: DEVICE, limit: 50, statuses: ['done', 'queued'] }),
      'commands_by_device',
    ],
    ['commands', 'what is due', ({ commands }) => commands.listDue(T, 500), 'commands_by_due'],
    ['commands', 'devices that wait', ({ commands }) => commands.listWaitingDevices(), 'commands_by_due'],
    ['videos', 'all', ({ videos }) => videos.list({ limit: 50 }), 'videos_by_time'],
    ['videos', 'a page', ({ videos }) => videos.list({ limit: 50, after: AT }), 'videos_by_time'],
    ['videos', 'a time', ({ videos }) => videos.list({ limit: 50, fromMs: T, toMs: T + DAY_MS }), 'videos_by_time'],
    ['videos', 'a device', ({ videos }) => videos.list({ limit: 50, deviceIds: [DEVICE] }), 'videos_by_device'],
    [
      'videos',
      'a device, page',
      ({ videos }) => videos.list({ limit: 50, deviceIds: [DEVICE], after: AT }),
      'videos_by_device',
    ],
    ['videos', 'a name', ({ videos }) => videos.list({ limit: 50, fileNames: ['f'] }), 'videos_by_file_name'],
    ['videos', 'a status', ({ videos }) => videos.list({ limit: 50, statuses: ['ready'] }), 'videos_by_status'],
    [
      'videos',
      'a status, page',
      ({ videos }) => videos.list({ limit: 50, statuses: ['processing'], after: AT }),
      'videos_by_status',
    ],
    ['videos', 'what is old', ({ videos }) => videos.listOlderThan(T, 5), 'videos_by_age videos_by_time'],
    ['videos', 'what waits for the worker', ({ videos }) => videos.listToProcess(5, false), 'videos_by_work'],
    ['videos', 'a device, by name', ({ videos }) => videos.listOfDevice(DEVICE, 5), 'videos_by_name'],
    ['uploads', 'that are idle', ({ uploads }) => uploads.listIdle(T, 5), 'uploads_by_time'],
    ['uploads', 'a device', ({ uploads }) => uploads.countOfDevice('d'), 'uploads_by_device'],
    ['keys', 'what is old', ({ keys }) => keys.removeOlderThan(T), 'idempotency_keys_by_time'],
    ['users', 'all', ({ users }) => users.list({ limit: 50 }), 'PRIMARY'],
    ['users', 'sessions that are over', ({ users }) => users.removeSessions(T), 'user_sessions_by_expiry'],
  ])('of %s, %s, are read by an index in order', async (_table, _name, call, keys) => {
    const [first] = await explain(database.dataSource, () => call(records))
    const [access, ...more] = first ?? []

    expect(more).toEqual([])
    expect(SEARCHES).toContain(access?.type)
    expect(keys.split(' ')).toContain(access?.key)
    expect(access?.extra).not.toContain('filesort')
  })

  it.each<[string, (records: Records) => Promise<unknown>, string]>([
    [
      'actions of the audit log',
      ({ audit }) => audit.list({ limit: 50, actions: ['SOS', 'CRASH'] }),
      'audit_by_action',
    ],
    ['commands of a request', ({ commands }) => commands.findByRequest('k', T), 'commands_by_request'],
    ['open commands of a device', ({ commands }) => commands.listOpen(DEVICE, 5), 'commands_by_status'],
    ['open commands, counted', ({ commands }) => commands.countOpen(), 'commands_by_due'],
    ['reserved videos', ({ videos }) => videos.listReserved(T), 'videos_by_time'],
    ['hidden videos', ({ videos }) => videos.listHidden(5), 'videos_by_time'],
  ])('the few %s are read by an index and sorted', async (_name, call, key) => {
    const [[access] = []] = await explain(database.dataSource, () => call(records))

    expect(access?.key).toBe(key)
    expect(['ref', 'range']).toContain(access?.type)
  })

  it.each<[string, VideoQuery, string]>([
    ['devices', { limit: 50, deviceIds: [DEVICE, OTHER] }, 'videos_by_device'],
    ['statuses', { limit: 50, statuses: ['processing', 'ready'] }, 'videos_by_status'],
    ['statuses, page', { limit: 50, statuses: ['processing', 'ready'], after: AT }, 'videos_by_status'],
  ])('of videos of several %s reads each by an index in order', async (_name, query, key) => {
    const [legs] = await explain(database.dataSource, () => records.videos.list(query))

    expect(legs?.map((leg) => leg.key)).toEqual([key, key])
    expect(legs?.filter(({ type, extra }) => !SEARCHES.includes(type) || extra.includes('filesort'))).toEqual([])
  })

  it('of the next command of a device reads it by an index, in order', async () => {
    const [, queued] = await explain(database.dataSource, () => records.commands.findNext(DEVICE))

    expect(queued?.map(({ type, key }) => `${type} ${key}`)).toEqual(['ref commands_by_status'])
    expect(queued?.[0]?.extra).not.toContain('filesort')
  })

  it('of videos finds their alarms, and those of an alarm, by keys', async () => {
    const [row] = await database.dataSource.query<{ id: string }[]>('SELECT MAX(id) AS id FROM videos')
    const [, alarms] = await explain(database.dataSource, () => records.videos.find(row?.id ?? ''))
    const query = { limit: 50, alarmIds: [row?.id ?? ''] }
    const [named] = await explain(database.dataSource, () => records.videos.list(query))

    expect(alarms?.map(({ table, key }) => `${table} ${key}`)).toEqual(['v PRIMARY', 'f alarm_files_by_name'])
    expect(new Set(named?.map(({ table, key }) => `${table} ${key}`))).toEqual(
      new Set(['f PRIMARY', 'v videos_by_name', 'video PRIMARY']),
    )
    expect([...(alarms ?? []), ...(named ?? [])].filter(({ type }) => type === 'ALL' || type === 'index')).toEqual([])
  })
})

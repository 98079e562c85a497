import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { DataSource } from 'typeorm'
import { openSqliteDataSource } from './sqlite-data-source.js'
import { SqliteQueryRunner } from './sqlite-query-runner.js'
import { TypeormAuditRecords } from './typeorm-audit-records.js'
import { TypeormCommandRecords } from './typeorm-command-records.js'
import { TypeormDeviceRecords } from './typeorm-device-records.js'
import { TypeormIdempotencyRecords } from './typeorm-idempotency-records.js'
import { TypeormUserRecords } from './typeorm-user-records.js'

const T = 1_700_000_000_123

describe('query plans on SQLite', () => {
  let directory: string
  let dataSource: DataSource
  let devices: TypeormDeviceRecords
  let users: TypeormUserRecords
  let audit: TypeormAuditRecords
  let keys: TypeormIdempotencyRecords
  let commands: TypeormCommandRecords

  beforeAll(async () => {
    directory = mkdtempSync(path.join(tmpdir(), 'milepost-plans-'))
    dataSource = await openSqliteDataSource({ file: path.join(directory, 'milepost.sqlite') })
    devices = new TypeormDeviceRecords(dataSource)
    users = new TypeormUserRecords(dataSource)
    audit = new TypeormAuditRecords(dataSource)
    keys = new TypeormIdempotencyRecords(dataSource)
    commands = new TypeormCommandRecords(dataSource)
  })
  afterAll(async () => {
    await dataSource.destroy()
    rmSync(directory, { recursive: true, force: true })
  })

  /** The plan of the first statement on tables that the call runs, step by step. */
  async function planOf(call: () => Promise<unknown>): Promise<string[]> {
    const query = jest.spyOn(SqliteQueryRunner.prototype, 'query')
    try {
      await call()
      const [sql, parameters] = query.mock.calls.find(([sql]) => /FROM|UPDATE/.test(sql)) ?? []
      const steps = await dataSource.query<{ detail: string }[]>(`EXPLAIN QUERY PLAN ${sql}`, parameters as unknown[])
      return steps.map(({ detail }) => detail)
    } finally {
      query.mockRestore()
    }
  }

  describe('devices', () => {
    it.each([
      ['all', {}, 'SEARCH device USING PRIMARY KEY (device_id>?)'],
      ['after an id', { afterDeviceId: 'b' }, 'SEARCH device USING PRIMARY KEY (device_id>?)'],
      [
        'one status',
        { statuses: ['disabled'] },
        'SEARCH device USING INDEX devices_by_status (status=? AND device_id>?)',
      ],
      ['both statuses', { statuses: ['active', 'disabled'] }, 'SEARCH device USING PRIMARY KEY (device_id>?)'],
      ['one kind', { kinds: ['named'] }, 'SEARCH device USING INDEX devices_by_kind (kind=? AND device_id>?)'],
      ['text', { text: 'ab 12' }, 'SEARCH device USING PRIMARY KEY (device_id>?)'],
      ['except', { except: ['a', 'b'] }, 'SEARCH device USING PRIMARY KEY (device_id>?)'],
    ] as const)('of %s searches by the key in order', async (_name, query, step) => {
      expect(await planOf(() => devices.list({ limit: 50, ...query }))).toEqual([step])
    })

    it.each([
      ['alone', {}],
      ['with a status', { statuses: ['active'] as const }],
      ['with text', { text: 'ab' }],
    ])('among some ids, %s, reads those only, in order', async (_name, query) => {
      const [step, ...more] = await planOf(() => devices.list({ limit: 50, among: ['a', 'b', 'c'], ...query }))

      expect(step).toMatch(
        /^SEARCH device USING (PRIMARY KEY|INDEX devices_by_status) \((status=\? AND )?device_id=\?\)$/,
      )
      expect(more).toEqual([])
    })

    it('by id searches the key', async () => {
      expect(await planOf(() => devices.find('a'))).toEqual(['SEARCH device USING PRIMARY KEY (device_id=?)'])
    })

    it('that were heard are updated by key', async () => {
      const touch = () => devices.touch([{ deviceId: 'a', atMs: T }])

      expect(await planOf(touch)).toEqual(['SEARCH devices USING PRIMARY KEY (device_id=?)'])
    })

    it('and their addresses are found by key, forgotten by time', async () => {
      expect(await planOf(() => devices.isKnownAddress('a', '::1', T))).toEqual([
        expect.stringMatching(/^SEARCH \w+ USING PRIMARY KEY \(device_id=\? AND address=\?\)$/),
      ])
      expect(await planOf(() => devices.forgetAddresses(T))).toEqual([
        'SEARCH seen USING COVERING INDEX device_addresses_by_time (seen_at<?)',
      ])
    })
  })

  describe('users', () => {
    it('are listed by key in order', async () => {
      expect(await planOf(() => users.list({ limit: 50 }))).toEqual(['SEARCH user USING PRIMARY KEY (username>?)'])
    })

    it('that are enabled admins are found by role', async () => {
      expect(await planOf(() => users.update('a', {}))).toEqual([
        'SEARCH user USING INDEX users_by_role (role=? AND disabled=?)',
      ])
    })

    it('have sessions and tokens that are found by key, by user and by expiry', async () => {
      expect(await planOf(() => users.findSession('s'))).toEqual([
        expect.stringMatching(/^SEARCH \w+ USING PRIMARY KEY \(session_id=\?\)$/),
      ])
      expect(await planOf(() => users.rotateRefresh('a', 'b', T))).toEqual([
        'SEARCH refresh_tokens USING PRIMARY KEY (token_hash=?)',
      ])
      expect(await planOf(() => users.endSessionsOf('a', T))).toEqual([
        'SEARCH session USING INDEX user_sessions_by_user (username=?)',
      ])
      expect(await planOf(() => users.removeSessions(T))).toEqual([
        'SEARCH session USING INDEX user_sessions_by_expiry (expires_at<?)',
      ])
    })
  })

  describe('the audit log', () => {
    const before = { atMs: T, id: 'x' }

    it.each([
      ['all', {}, 'SCAN entry USING INDEX audit_by_time'],
      ['a page', { before }, 'SEARCH entry USING INDEX audit_by_time (at<?)'],
      ['a time', { fromMs: T, toMs: T + 1 }, 'SEARCH entry USING INDEX audit_by_time (at>? AND at<?)'],
      ['a user', { by: ['ann'] }, 'SEARCH entry USING INDEX audit_by_actor (actor=?)'],
      ['a user, page', { by: ['ann'], before }, 'SEARCH entry USING INDEX audit_by_actor (actor=? AND at<?)'],
      ['an action', { actions: ['user.login'] }, 'SEARCH entry USING INDEX audit_by_action (action=?)'],
      [
        'an action, time',
        { actions: ['a'], fromMs: T },
        'SEARCH entry USING INDEX audit_by_action (action=? AND at>?)',
      ],
    ] as const)('of %s is read by an index in order', async (_name, query, step) => {
      expect(await planOf(() => audit.list({ limit: 50, ...query }))).toEqual([step])
    })

    it.each([
      ['users', { by: ['ann', 'bob'] }],
      ['actions', { actions: ['user.login', 'user.logout'] }],
    ])('of several %s is read by an index', async (_name, query) => {
      const [step] = await planOf(() => audit.list({ limit: 50, ...query }))

      expect(step).toMatch(/USING INDEX audit_by_/)
    })

    it('is removed by time', async () => {
      expect(await planOf(() => audit.removeOlderThan(T))).toEqual([
        'SEARCH entry USING COVERING INDEX audit_by_time (at<?)',
      ])
    })
  })

  describe('commands', () => {
    const before = { createdAtMs: T, id: 'x' }
    const of = 'SEARCH command USING INDEX'

    it.each([
      ['all', {}, `${of} commands_by_device (device_id=?)`],
      ['a page', { before }, `${of} commands_by_device (device_id=? AND created_at<?)`],
      ['a state', { statuses: ['done'] }, `${of} commands_by_status (device_id=? AND status=?)`],
      [
        'a state, page',
        { statuses: ['done'], before },
        `${of} commands_by_status (device_id=? AND status=? AND created_at<?)`,
      ],
    ] as const)('of a device, %s, are read by an index in order', async (_name, query, step) => {
      expect(await planOf(() => commands.list({ deviceId: 'd', limit: 50, ...query }))).toEqual([step])
    })

    it('are found by id, by whose turn it is, and by when they are due', async () => {
      expect(await planOf(() => commands.find('c'))).toEqual([`${of} sqlite_autoindex_commands_1 (id=?)`])
      expect(await planOf(() => commands.findNext('d'))).toEqual([`${of} commands_by_place (place=?)`])
      expect(await planOf(() => commands.findByRequest('k', T))).toEqual([
        `${of} commands_by_request (request_key=?)`,
        'USE TEMP B-TREE FOR ORDER BY',
      ])
      expect(await planOf(() => commands.listDue(T, 500))).toEqual([`${of} commands_by_due (due_at<?)`])
    })

    it('that are open are counted without a look at those that have ended', async () => {
      const [step] = await planOf(() => commands.countOpen())
      expect(step).toBe('SEARCH command USING COVERING INDEX commands_by_due (due_at>?)')
      const [devices] = await planOf(() => commands.listWaitingDevices())
      expect(devices).toBe('SEARCH command USING COVERING INDEX commands_by_due (due_at>?)')
    })
  })

  it('finds idempotency keys by key and by time', async () => {
    expect(await planOf(() => keys.removeOlderThan(T))).toEqual([
      'SEARCH claim USING INDEX idempotency_keys_by_time (created_at<?)',
    ])
    expect(await planOf(() => keys.release('k', T))).toEqual([
      'SEARCH idempotency_keys USING INDEX sqlite_autoindex_idempotency_keys_1 (scope_hash=?)',
    ])
  })
})

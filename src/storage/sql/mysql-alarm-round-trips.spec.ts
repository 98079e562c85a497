import { describeOn } from '../../../test/stores/describe-on.js'
import { openFreshMysql } from '../../../test/stores/open-mysql-data-source.js'
import { UnreliableNetwork } from '../../../test/stores/unreliable-network.js'
import type { AlarmReport } from '../../model/alarm.js'
import { reportOf, T } from './alarm-records.contract.js'
import { openMysqlDataSource } from './open-mysql-data-source.js'
import { PooledQueryRunner } from './pooled-query-runner.js'
import { TypeormAlarmRecords } from './typeorm-alarm-records.js'

const MAX_FILES = 20
/** As many as the commit stores at once. */
const BATCH = 500

/** With a round trip of half a second all of it has to end within 8 s. */
describeOn('SQL_URL', 'round trips to MySQL or MariaDB', () => {
  let opened: Awaited<ReturnType<typeof openFreshMysql>>
  let alarms: TypeormAlarmRecords

  beforeAll(async () => {
    opened = await openFreshMysql(2)
    alarms = new TypeormAlarmRecords(opened.dataSource)
  }, 60_000)
  afterAll(() => opened?.close())

  /** Every statement that is sent, the beginning and the end of transactions too. */
  async function statementsOf(call: () => Promise<unknown>): Promise<string[]> {
    const query = jest.spyOn(PooledQueryRunner.prototype, 'query')
    try {
      await call()
      return query.mock.calls.map(([sql]) => sql.slice(0, 40))
    } finally {
      query.mockRestore()
    }
  }

  const raise = (reports: readonly AlarmReport[]) => () => alarms.raise(reports, MAX_FILES)
  const batch = (changes: (i: number) => Partial<AlarmReport>) =>
    Array.from({ length: BATCH }, (_, i) => reportOf({ deviceId: `box-${i}`, timeMs: T + i, ...changes(i) }))

  it('of a new alarm of a device that had some are six', async () => {
    await raise([reportOf()])()
    expect(
      await statementsOf(raise([reportOf({ timeMs: T + 1, fileNames: ['20261122-0730 front left.mp4'] })])),
    ).toEqual([
      'START TRANSACTION',
      expect.stringContaining('SELECT'),
      expect.stringContaining('INSERT INTO alarms '),
      expect.stringContaining('INSERT INTO alarm_files '),
      expect.stringContaining('INSERT INTO alarm_words '),
      'COMMIT',
    ])
  })

  it('of an alarm that is there are three', async () => {
    await raise([reportOf()])()
    expect(await statementsOf(raise([reportOf()]))).toHaveLength(3)
  })

  it('of a full batch of new alarms of new devices, each with a file of its own, are at most fifteen', async () => {
    const reports = batch((i) => ({ fileNames: [`one two three ${i}.mp4`] }))
    expect((await statementsOf(raise(reports))).length).toBeLessThanOrEqual(15)
    expect(await alarms.list({ order: 'newest', limit: 600, text: 'three' })).toHaveLength(BATCH)
  })

  it('of a full batch of alarms that are there and get files are at most fifteen', async () => {
    await raise(batch(() => ({ type: 'SOS' })))()
    const reports = batch((i) => ({ type: 'SOS', fileNames: [`later ${i}.mp4`, `last ${i}.mp4`] }))
    expect((await statementsOf(raise(reports))).length).toBeLessThanOrEqual(15)
    expect(await alarms.list({ order: 'newest', limit: 600, text: 'later' })).toHaveLength(BATCH)
  })

  it('of half a second each still let a full batch through in time', async () => {
    const network = await UnreliableNetwork.before(opened.url)
    const far = await openMysqlDataSource({ url: network.urlOf(opened.url), tls: 'off', poolSize: 1 })
    try {
      network.slow(250)
      const distant = new TypeormAlarmRecords(far)
      await distant.raise([reportOf({ type: 'JAMMING' })], MAX_FILES)
      const began = performance.now()
      const reports = batch((i) => ({ deviceId: `far-${i}`, type: 'JAMMING', fileNames: [`one two three ${i}.mp4`] }))
      let raised: readonly { isNew: boolean }[] = []
      // It rejects what takes longer than 8 s.
      const sent = await statementsOf(async () => {
        raised = await distant.raise(reports, MAX_FILES)
      })
      expect(raised.filter(({ isNew }) => isNew)).toHaveLength(BATCH)
      expect(sent.length).toBeLessThan(14)
      expect(performance.now() - began).toBeGreaterThan(3000)
    } finally {
      await far.destroy()
      await network.close()
    }
  }, 40_000)

  it('of large alarms are as many as their megabytes ask for', async () => {
    const reports = batch((i) => ({ type: 'TOWING', attributes: { n: i, text: 'ü'.repeat(4000) } }))
    const sent = await statementsOf(raise(reports))
    expect(sent.filter((sql) => sql.startsWith('INSERT INTO alarms '))).toHaveLength(5)
  })

  it('of the removal of some hundred alarms are at most fifteen a step, whatever words they have', async () => {
    const many = (deviceId: string, names: (i: number) => string[]) =>
      raise(
        Array.from({ length: 250 }, (_, i) =>
          reportOf({ deviceId, timeMs: T + i, fileNames: names(i).map((name) => `${name}.mp4`) }),
        ),
      )()
    await many('few', (i) => [`a b c ${i}`])
    await many('lots', (i) =>
      Array.from({ length: 20 }, (_, n) => Array.from({ length: 9 }, (_, m) => `w${i}x${n}x${m}`).join(' ')),
    )
    for (const deviceId of ['few', 'lots']) {
      const sent = await statementsOf(() => alarms.eraseDevice(deviceId))
      const steps = sent.join('\n').split('COMMIT')
      expect(Math.max(...steps.map((step) => step.split('\n').length))).toBeLessThanOrEqual(15)
    }
    expect(await alarms.list({ order: 'newest', limit: 1, deviceIds: ['few', 'lots'] })).toEqual([])
    const [left] = await opened.dataSource.query<{ n: number }[]>(
      "SELECT COUNT(*) AS n FROM alarm_words WHERE word LIKE 'w%x%'",
    )
    expect(Number(left?.n)).toBe(0)
  }, 60_000)
})

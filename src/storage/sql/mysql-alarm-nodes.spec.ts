import type { DataSource } from 'typeorm'
import { describeOn } from '../../../test/stores/describe-on.js'
import { openFreshMysql } from '../../../test/stores/open-mysql-data-source.js'
import { seededRandom } from '../../../test/torture/seeded-random.js'
import { ALARM_TYPES, type AlarmReport } from '../../model/alarm.js'
import { reportOf, T } from './alarm-records.contract.js'
import type { RaisedAlarm } from './alarm-records.js'
import { ENTITIES } from './entities/entities.js'
import { openMysqlDataSource } from './open-mysql-data-source.js'
import { TypeormAlarmRecords } from './typeorm-alarm-records.js'

const MAX_FILES = 20
const ROUNDS = 8
const HOUR_MS = 3_600_000

describeOn('SQL_URL', 'alarms that two nodes write at the same time, on MySQL or MariaDB', () => {
  let first: Awaited<ReturnType<typeof openFreshMysql>>
  let second: DataSource
  let nodes: [TypeormAlarmRecords, TypeormAlarmRecords]

  beforeAll(async () => {
    first = await openFreshMysql(5)
    second = await openMysqlDataSource({ url: first.url, tls: 'off', poolSize: 5 })
    nodes = [new TypeormAlarmRecords(first.dataSource), new TypeormAlarmRecords(second)]
  }, 60_000)
  afterAll(async () => {
    await second?.destroy()
    await first?.close()
  })
  beforeEach(async () => {
    for (const { options } of ENTITIES) await first.dataSource.query(`DELETE FROM ${options.tableName}`)
  })

  const count = async (table: string): Promise<number> => {
    const [row] = await first.dataSource.query<{ n: number }[]>(`SELECT COUNT(*) AS n FROM ${table}`)
    return Number(row?.n)
  }
  const raiseBy = (node: 0 | 1, reports: readonly AlarmReport[]) => nodes[node].raise(reports, MAX_FILES)
  const raiseOne = async (): Promise<string> => {
    const [raised] = await raiseBy(0, [reportOf()])
    return raised?.alarm.id ?? ''
  }

  it('are stored once when both have the same ones in different order, and each is new to one caller', async () => {
    const random = seededRandom(7)
    for (let round = 0; round < ROUNDS; round++) {
      const reports = Array.from({ length: 80 }, (_, i) =>
        reportOf({
          deviceId: `box-${round % 2 === 0 ? i % 20 : i}-${round}`,
          type: ALARM_TYPES[i % ALARM_TYPES.length] ?? 'SOS',
          // Days that are new in each round.
          timeMs: T + (round * 80 + i) * HOUR_MS,
          fileNames: [`clip-${i}.mp4`],
        }),
      )
      const callers = await Promise.all(([0, 1, 0, 1] as const).map((node) => raiseBy(node, shuffled(reports, random))))
      expect(newOf(callers)).toEqual(new Set(reports.map(keyOf)))
      expect(callers.flat().filter(({ isNew }) => isNew)).toHaveLength(reports.length)
      expect(new Set(callers.flat().map(({ alarm }) => alarm.id)).size).toBe(reports.length)
    }
    expect(await count('alarms')).toBe(80 * ROUNDS)
    expect(await count('alarm_files')).toBe(80 * ROUNDS)
    expect(await count('alarm_devices')).toBe(ROUNDS * 50)
    const days = new Set(Array.from({ length: 80 * ROUNDS }, (_, i) => Math.floor((T + i * HOUR_MS) / 86_400_000)))
    expect(await count('alarm_blocks')).toBe(days.size)
  }, 120_000)

  it('take the files of both, each in a place of its own, and are found by all of them', async () => {
    const id = await raiseOne()
    const names = Array.from({ length: 12 }, (_, i) => `part${i}x.mp4`)

    const raised = await Promise.all(
      names.map((name, i) => raiseBy(i % 2 === 0 ? 0 : 1, [reportOf({ fileNames: [name] })])),
    )

    expect(raised.flat().map(({ isNew, isChanged }) => [isNew, isChanged])).toEqual(names.map(() => [false, true]))
    const alarm = await nodes[1].find(id)
    expect(alarm?.files.map(({ fileName }) => fileName).toSorted()).toEqual(names.toSorted())
    for (const name of names) {
      const found = await nodes[0].list({ order: 'newest', limit: 5, text: name.split('.')[0] ?? '' })
      expect(found.map((one) => one.id)).toEqual([id])
    }
  }, 60_000)

  it('are found by a note and by a file that came at the same time', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const [{ alarm } = { alarm: undefined }] = await raiseBy(0, [reportOf({ timeMs: T + round })])
      await Promise.all([
        nodes[0].edit(alarm?.id ?? '', { note: `hail${round}` }, 'ann', T),
        raiseBy(1, [reportOf({ timeMs: T + round, fileNames: [`front${round}.mp4`] })]),
        nodes[1].edit(alarm?.id ?? '', { status: 'resolved' }, 'bob', T),
      ])
      for (const text of [`hail${round}`, `front${round}`]) {
        const [found] = await nodes[0].list({ order: 'newest', limit: 5, text })
        expect(found).toMatchObject({ id: alarm?.id, status: 'resolved', note: `hail${round}` })
        expect(found?.history.map(({ by }) => by).toSorted()).toEqual(['ann', 'bob', null].toSorted())
      }
    }
  }, 60_000)

  it('are gone with everything, or whole, when their device is erased meanwhile', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const reports = (n: number) =>
        Array.from({ length: 40 }, (_, i) =>
          reportOf({ deviceId: 'box', timeMs: T + n * HOUR_MS + i, fileNames: ['front.mp4'] }),
        )
      await raiseBy(0, reports(0))
      const [erased] = await Promise.all([nodes[0].eraseDevice('box'), raiseBy(1, reports(1)), raiseBy(1, reports(0))])

      const left = await count('alarms')
      expect(erased).toBeGreaterThanOrEqual(40)
      expect(await nodes[0].list({ order: 'newest', limit: 500, text: 'box' })).toHaveLength(left)
      expect(await nodes[1].list({ order: 'newest', limit: 500, text: 'front' })).toHaveLength(left)
      expect(await count('alarm_files')).toBe(left)
      expect(await count('alarm_devices')).toBe(left === 0 ? 0 : 1)
      await nodes[1].eraseDevice('box')
      expect(await count('alarm_words')).toBe(0)
    }
  }, 60_000)
})

function keyOf({ deviceId, type, timeMs }: Pick<AlarmReport, 'deviceId' | 'type' | 'timeMs'>): string {
  return `${deviceId} ${type} ${timeMs}`
}

function newOf(callers: readonly (readonly RaisedAlarm[])[]): Set<string> {
  return new Set(callers.flat().flatMap(({ alarm, isNew }) => (isNew ? [keyOf(alarm)] : [])))
}

function shuffled<T>(all: readonly T[], random: () => number): T[] {
  return all
    .map((one) => ({ one, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one)
}

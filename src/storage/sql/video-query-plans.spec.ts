import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { DataSource } from 'typeorm'
import { openSqliteDataSource } from './sqlite-data-source.js'
import { SqliteQueryRunner } from './sqlite-query-runner.js'
import { TypeormUploadRecords } from './typeorm-upload-records.js'
import { TypeormVideoRecords } from './typeorm-video-records.js'

const T = 1_700_000_000_123
const AFTER = { atMs: T, id: 'x' }

describe('query plans of videos on SQLite', () => {
  let directory: string
  let dataSource: DataSource
  let videos: TypeormVideoRecords
  let uploads: TypeormUploadRecords

  beforeAll(async () => {
    directory = mkdtempSync(path.join(tmpdir(), 'milepost-video-plans-'))
    dataSource = await openSqliteDataSource({ file: path.join(directory, 'milepost.sqlite') })
    videos = new TypeormVideoRecords(dataSource)
    uploads = new TypeormUploadRecords(dataSource)
    const video = {
      deviceId: 'd',
      bytes: 1,
      sha256: '0',
      contentType: 'video/mp4',
      blobUploadId: 'b',
      reservedAtMs: T,
    } as const
    await videos.reserve({ ...video, id: 'v', fileName: 'f', recordedAtMs: null })
    await videos.show('v', T)
  })
  afterAll(async () => {
    await dataSource.destroy()
    rmSync(directory, { recursive: true, force: true })
  })

  /** The plans of the statements that the call runs, each step by step. */
  async function plansOf(call: () => Promise<unknown>): Promise<string[][]> {
    const query = jest.spyOn(SqliteQueryRunner.prototype, 'query')
    let statements: [string, unknown][]
    try {
      await call()
      statements = query.mock.calls.flatMap(([sql, parameters]) => (/FROM|UPDATE/.test(sql) ? [[sql, parameters]] : []))
    } finally {
      query.mockRestore()
    }
    const plans: string[][] = []
    for (const [sql, parameters] of statements) {
      const steps = await dataSource.query<{ detail: string }[]>(`EXPLAIN QUERY PLAN ${sql}`, parameters as unknown[])
      plans.push(steps.map(({ detail }) => detail))
    }
    return plans
  }
  const planOf = async (call: () => Promise<unknown>) => (await plansOf(call))[0]

  it.each([
    ['all', {}, 'videos_by_time (listed_at>?)'],
    ['a page', { after: AFTER }, 'videos_by_time (listed_at>? AND listed_at<?)'],
    ['a time', { fromMs: T, toMs: T + 1 }, 'videos_by_time (listed_at>? AND listed_at<?)'],
    ['a device', { deviceIds: ['d'] }, 'videos_by_device (device_id=? AND listed_at>?)'],
    [
      'a device, page',
      { deviceIds: ['d'], after: AFTER },
      'videos_by_device (device_id=? AND listed_at>? AND listed_at<?)',
    ],
    ['a device, time', { deviceIds: ['d'], fromMs: T }, 'videos_by_device (device_id=? AND listed_at>?)'],
    ['a name', { fileNames: ['f'] }, 'videos_by_file_name (file_name=? AND listed_at>?)'],
    ['a name of a device', { deviceIds: ['d'], fileNames: ['f'] }, 'videos_by_name (device_id=? AND file_name=?)'],
    ['a status', { statuses: ['ready'] }, 'videos_by_status (status=? AND listed_at>?)'],
    [
      'a status, page',
      { statuses: ['ready'], after: AFTER },
      'videos_by_status (status=? AND listed_at>? AND listed_at<?)',
    ],
  ] as const)('of %s is read by an index in order', async (_name, query, step) => {
    expect(await planOf(() => videos.list({ limit: 50, ...query }))).toEqual([`SEARCH video USING INDEX ${step}`])
  })

  it.each([
    ['devices', { deviceIds: ['d', 'e'] }, 'videos_by_device (device_id=? AND listed_at>?)'],
    ['names', { fileNames: ['f', 'g'] }, 'videos_by_file_name (file_name=? AND listed_at>?)'],
    ['statuses', { statuses: ['processing', 'failed'] }, 'videos_by_status (status=? AND listed_at>?)'],
    [
      'statuses, page',
      { statuses: ['ready', 'failed'], after: AFTER },
      'videos_by_status (status=? AND listed_at>? AND listed_at<?)',
    ],
  ] as const)('of several %s reads each by an index in order', async (_name, query, step) => {
    const plan = await planOf(() => videos.list({ limit: 50, ...query }))

    expect(plan?.filter((line) => line.includes('videos'))).toEqual(
      Array.from({ length: 2 }, () => expect.stringContaining(step)),
    )
  })

  it('of an alarm is read from the names of its files', async () => {
    expect(await planOf(() => videos.list({ limit: 50, alarmIds: ['a'] }))).toEqual([
      'SEARCH video USING INDEX sqlite_autoindex_videos_1 (id=?)',
      'LIST SUBQUERY 1',
      'SEARCH f USING PRIMARY KEY (alarm_id=?)',
      'SEARCH v USING INDEX videos_by_name (device_id=? AND file_name=?)',
      'USE TEMP B-TREE FOR ORDER BY',
    ])
  })

  it('finds the alarms of a video by index', async () => {
    const [, alarms] = await plansOf(() => videos.find('v'))

    expect(alarms).toContain('SEARCH f USING COVERING INDEX alarm_files_by_name (device_id=? AND file_name=?)')
  })

  it.each([
    ['by id', () => videos.find('v'), 'sqlite_autoindex_videos_1 (id=?)'],
    ['by name', () => videos.findByName('d', 'f'), 'videos_by_name (device_id=? AND file_name=?)'],
    ['what is old', () => videos.listOlderThan(T, 5), 'videos_by_age (is_kept=? AND listed_at<?)'],
    ['what waits for the worker', () => videos.listToProcess(5, false), 'videos_by_work (status=?)'],
    ['of a device', () => videos.listOfDevice('d', 5), 'videos_by_name (device_id=?)'],
  ])('finds %s by index, in order', async (_name, call, step) => {
    expect(await planOf(call)).toEqual([`SEARCH video USING INDEX ${step}`])
  })

  it('finds what a missing tool left by index, in order', async () => {
    const [, failed] = await plansOf(() => videos.listToProcess(5, true))

    expect(failed).toEqual(['SEARCH video USING INDEX videos_by_failure (failure_reason=?)'])
  })

  it.each([
    ['reserved', () => videos.listReserved(T)],
    ['hidden', () => videos.listHidden(5)],
  ])('finds the few that are %s by index', async (_name, call) => {
    expect((await planOf(call))?.[0]).toBe('SEARCH video USING INDEX videos_by_time (listed_at=?)')
  })

  it.each([
    ['by id', () => uploads.find('u'), 'INDEX sqlite_autoindex_uploads_1 (id=?)'],
    ['that are idle', () => uploads.listIdle(T, 5), 'INDEX uploads_by_time (updated_at<?)'],
    [
      'of the blob store',
      () => uploads.findKnownBlobUploads(['a', 'b']),
      'INDEX uploads_by_blob_upload (blob_upload_id=?)',
    ],
    ['of a device', () => uploads.countOfDevice('d'), 'COVERING INDEX uploads_by_device (device_id=? AND video_id=?)'],
  ])('finds uploads %s by index', async (_name, call, step) => {
    expect(await planOf(call)).toEqual([`SEARCH upload USING ${step}`])
  })
})

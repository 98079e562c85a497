import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Injectable, Module, type OnApplicationShutdown } from '@nestjs/common'
import { Test, type TestingModule } from '@nestjs/testing'
import { parseConfig } from '../config/app-config.js'
import { ConfigModule } from '../config/config.module.js'
import { MetricsModule } from '../metrics/metrics.module.js'
import { BlobStore } from './blobs/blob-store.js'
import { DiskGuardModule } from './disk-guard.module.js'
import { PositionStore } from './positions/position-store.js'
import { QuarantineStore } from './quarantine/quarantine-store.js'
import { AuditRecords } from './sql/audit-records.js'
import { DeviceRecords } from './sql/device-records.js'
import { IdempotencyRecords } from './sql/idempotency-records.js'
import { openSqliteRecords } from './sql/open-sqlite-records.js'
import { SqlStore } from './sql/sql-store.js'
import { UploadRecords } from './sql/upload-records.js'
import { UserRecords } from './sql/user-records.js'
import { VideoRecords } from './sql/video-records.js'
import { StorageModule } from './storage.module.js'

/** Still uses the stores when the application stops, as the pipeline does. */
@Injectable()
class LateUser implements OnApplicationShutdown {
  usersAtTheEnd: number | undefined

  constructor(private readonly users: UserRecords) {}

  async onApplicationShutdown(): Promise<void> {
    this.usersAtTheEnd = await this.users.count()
  }
}

@Module({ providers: [LateUser] })
class LateModule {}

describe('the storage module', () => {
  let directory: string
  const running: TestingModule[] = []

  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'milepost-storage-'))
  })
  afterEach(async () => {
    for (const module of [...running]) await stop(module)
    rmSync(directory, { recursive: true, force: true })
  })

  async function start(): Promise<TestingModule> {
    const config = parseConfig({ DATA_DIR: path.join(directory, 'data'), DISK_MIN_FREE: '0' })
    const module = await Test.createTestingModule({
      imports: [ConfigModule.of(config), MetricsModule, DiskGuardModule, StorageModule, LateModule],
    }).compile()
    running.push(module)
    return module.init()
  }

  async function stop(module: TestingModule): Promise<void> {
    running.splice(running.indexOf(module), 1)
    await module.close()
  }

  it('gives every port an embedded store in the data directory', async () => {
    const module = await start()

    await module.get(SqlStore).checkHealth()
    await module.get(PositionStore).checkHealth()
    await module.get(QuarantineStore).checkHealth()
    await module.get(BlobStore).probe()

    expect(await module.get(DeviceRecords).list({ limit: 1 })).toEqual([])
    expect(await module.get(UserRecords).count()).toBe(0)
    expect(await module.get(AuditRecords).list({ limit: 1 })).toEqual([])
    expect(await module.get(IdempotencyRecords).releaseRunning('nobody')).toBe(0)
    expect(await module.get(VideoRecords).list({ limit: 1 })).toEqual([])
    expect(await module.get(UploadRecords).listIdle(0, 1)).toEqual([])
    expect(readdirSync(path.join(directory, 'data'))).toContain('milepost.sqlite')
  })

  it('closes the stores after everything that uses them, and gives the directory back', async () => {
    const module = await start()
    const late = module.get(LateUser)
    await stop(module)

    expect(late.usersAtTheEnd).toBe(0)
    await expect(module.get(UserRecords).count()).rejects.toThrow()
    const again = await start()
    expect(await again.get(UserRecords).count()).toBe(0)
  })

  it('refuses a directory that another server uses', async () => {
    await start()

    await expect(start()).rejects.toMatchObject({
      exitCode: 69,
      message: `cannot open ${path.join(directory, 'data')}: another server is using this data directory (process ${process.pid})`,
    })
  })

  it('closes what was opened when one store cannot be', async () => {
    await stop(await start())
    const file = path.join(directory, 'data', 'milepost.sqlite')
    writeFileSync(file, 'this is no database\n'.repeat(100))

    await expect(start()).rejects.toMatchObject({
      exitCode: 69,
      message: `cannot open ${file}: file is not a database (SQLITE_NOTADB)`,
    })
    rmSync(file)
    const again = await start()
    expect(await again.get(UserRecords).count()).toBe(0)
  })

  it('copies the relational database while it is in use', async () => {
    const module = await start()
    const users = module.get(UserRecords)
    const ann = { username: 'ann', passwordHash: 'x', role: 'viewer', disabled: false, createdAtMs: 1 } as const
    await users.insert(ann)
    const records = Array.from({ length: 50 }, (_, i) => users.insert({ ...ann, username: `u${i}` }))

    await module.get(SqlStore).backupTo(path.join(directory, 'milepost.sqlite'))
    await Promise.all(records)

    const opened = await openSqliteRecords({ directory })
    expect(await opened.users.find('ann')).toEqual(ann)
    await opened.store.close()
    expect(readdirSync(directory).sort()).toEqual(['data', 'milepost.sqlite'])
  })
})

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { DataSource } from 'typeorm'
import { alarmRecordsContract, type OpenedAlarmRecords } from './alarm-records.contract.js'
import { alarmSearchContract } from './alarm-search.contract.js'
import { auditRecordsContract } from './audit-records.contract.js'
import { commandRecordsContract } from './command-records.contract.js'
import { deviceRecordsContract } from './device-records.contract.js'
import type { DeviceRecord } from './device-records.js'
import { ENTITIES } from './entities/entities.js'
import { erasureRecordsContract } from './erasure-records.contract.js'
import { idempotencyRecordsContract } from './idempotency-records.contract.js'
import { openSqliteDataSource } from './sqlite-data-source.js'
import { TypeormAlarmRecords } from './typeorm-alarm-records.js'
import { TypeormAuditRecords } from './typeorm-audit-records.js'
import { TypeormCommandRecords } from './typeorm-command-records.js'
import { TypeormDeviceRecords } from './typeorm-device-records.js'
import { TypeormErasureRecords } from './typeorm-erasure-records.js'
import { TypeormIdempotencyRecords } from './typeorm-idempotency-records.js'
import { TypeormUploadRecords } from './typeorm-upload-records.js'
import { TypeormUserRecords } from './typeorm-user-records.js'
import { TypeormVideoRecords } from './typeorm-video-records.js'
import { uploadRecordsContract } from './upload-records.contract.js'
import { userRecordsContract } from './user-records.contract.js'
import { videoRecordsContract } from './video-records.contract.js'
import type { NewVideo } from './video-records.js'

let directory: string
let dataSource: DataSource

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'milepost-records-'))
  dataSource = await openSqliteDataSource({ file: path.join(directory, 'milepost.sqlite') })
})
afterAll(async () => {
  await dataSource.destroy()
  rmSync(directory, { recursive: true, force: true })
})

/** Records on the one database of this file, emptied. */
const onSqlite =
  <Records>(Records: new (dataSource: DataSource) => Records) =>
  async () => {
    for (const { options } of ENTITIES) await dataSource.query(`DELETE FROM ${options.tableName}`)
    return { records: new Records(dataSource), close: async () => {} }
  }

deviceRecordsContract('SQLite', onSqlite(TypeormDeviceRecords))
userRecordsContract('SQLite', onSqlite(TypeormUserRecords))
auditRecordsContract('SQLite', onSqlite(TypeormAuditRecords))
erasureRecordsContract('SQLite', onSqlite(TypeormErasureRecords))
idempotencyRecordsContract('SQLite', onSqlite(TypeormIdempotencyRecords))
commandRecordsContract('SQLite', onSqlite(TypeormCommandRecords))
uploadRecordsContract('SQLite', onSqlite(TypeormUploadRecords))
videoRecordsContract('SQLite', async () => {
  const videos = await onSqlite(TypeormVideoRecords)()
  return { ...videos, alarms: new TypeormAlarmRecords(dataSource) }
})

/** Alarms with the videos and devices that they are joined to. */
async function openAlarms(): Promise<OpenedAlarmRecords> {
  const { records, close } = await onSqlite(TypeormAlarmRecords)()
  const [videos, devices] = [new TypeormVideoRecords(dataSource), new TypeormDeviceRecords(dataSource)]
  const reserveVideo = async (deviceId: string, fileName: string) => {
    const id = `${deviceId}/${fileName}`
    await videos.reserve({ ...NEW_VIDEO, id, deviceId, fileName })
    return id
  }
  return {
    records,
    close,
    reserveVideo,
    showVideo: async (deviceId, fileName) => {
      const id = await reserveVideo(deviceId, fileName)
      await videos.show(id, 1_700_000_000_000)
      return id
    },
    removeVideo: async (id) => {
      await videos.hide(id)
    },
    putDevice: async (deviceId, names) => {
      if (!(await devices.update(deviceId, names))) await devices.insert({ ...NEW_DEVICE, deviceId, ...names })
    },
    removeDevice: async (deviceId) => {
      await devices.delete(deviceId)
    },
  }
}

const NEW_VIDEO: Omit<NewVideo, 'id' | 'deviceId' | 'fileName'> = {
  bytes: 1,
  sha256: '0'.repeat(64),
  contentType: 'video/mp4',
  recordedAtMs: null,
  blobUploadId: 'upload',
  reservedAtMs: 1_700_000_000_000,
}
const NEW_DEVICE: Omit<DeviceRecord, 'deviceId'> = {
  kind: 'named',
  name: null,
  plate: null,
  // Words that no alarm is found by.
  brand: 'Zeppelin',
  model: 'Fine',
  protocol: null,
  status: 'active',
  secretHash: null,
  trackerAllowed: false,
  trackerSack: false,
  commandPassword: null,
  generation: 'g1',
  createdAtMs: 1_700_000_000_000,
  lastSeenAtMs: null,
}

alarmRecordsContract('SQLite', openAlarms)
alarmSearchContract('SQLite', openAlarms)

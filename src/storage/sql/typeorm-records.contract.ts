import type { DataSource } from 'typeorm'
import { alarmRecordsContract, type OpenedAlarmRecords } from './alarm-records.contract.js'
import { alarmSearchContract } from './alarm-search.contract.js'
import { auditRecordsContract } from './audit-records.contract.js'
import { commandRecordsContract } from './command-records.contract.js'
import { deviceRecordsContract } from './device-records.contract.js'
import type { DeviceRecord } from './device-records.js'
import { directUploadRecordsContract } from './direct-upload-records.contract.js'
import { ENTITIES } from './entities/entities.js'
import { erasureRecordsContract } from './erasure-records.contract.js'
import { idempotencyRecordsContract } from './idempotency-records.contract.js'
import { TypeormAlarmRecords } from './typeorm-alarm-records.js'
import { TypeormAuditRecords } from './typeorm-audit-records.js'
import { TypeormCommandRecords } from './typeorm-command-records.js'
import { TypeormDeviceRecords } from './typeorm-device-records.js'
import { TypeormDirectUploadRecords } from './typeorm-direct-upload-records.js'
import { TypeormErasureRecords } from './typeorm-erasure-records.js'
import { TypeormIdempotencyRecords } from './typeorm-idempotency-records.js'
import { TypeormUploadRecords } from './typeorm-upload-records.js'
import { TypeormUserRecords } from './typeorm-user-records.js'
import { TypeormVideoRecords } from './typeorm-video-records.js'
import { uploadRecordsContract } from './upload-records.contract.js'
import { userRecordsContract } from './user-records.contract.js'
import { videoRecordsContract } from './video-records.contract.js'
import type { NewVideo } from './video-records.js'

/** Opens a database with the schema of today, for all the tests of a file. */
export type OpenDatabase = () => Promise<{ readonly dataSource: DataSource; close(): Promise<void> }>

/** Every contract of the relational database but that of alarms, on one database. */
export function typeormRecordsContract(name: string, open: OpenDatabase): void {
  describe(`records on ${name}`, () => {
    const database = openedFor(open)
    const on = <Records>(Records: new (dataSource: DataSource) => Records) => emptied(database, Records)
    deviceRecordsContract(name, on(TypeormDeviceRecords))
    userRecordsContract(name, on(TypeormUserRecords))
    auditRecordsContract(name, on(TypeormAuditRecords))
    erasureRecordsContract(name, on(TypeormErasureRecords))
    idempotencyRecordsContract(name, on(TypeormIdempotencyRecords))
    commandRecordsContract(name, on(TypeormCommandRecords))
    uploadRecordsContract(name, on(TypeormUploadRecords))
    directUploadRecordsContract(name, on(TypeormDirectUploadRecords))
    videoRecordsContract(name, async () => {
      const videos = await on(TypeormVideoRecords)()
      return { ...videos, alarms: new TypeormAlarmRecords(database()) }
    })
  })
}

/** The contracts of alarms, on one database. */
export function typeormAlarmsContract(name: string, open: OpenDatabase): void {
  describe(`alarms on ${name}`, () => {
    const database = openedFor(open)
    alarmRecordsContract(name, () => openAlarms(database))
    alarmSearchContract(name, () => openAlarms(database))
  })
}

function openedFor(open: OpenDatabase): () => DataSource {
  let opened: Awaited<ReturnType<OpenDatabase>> | undefined
  beforeAll(async () => {
    opened = await open()
  })
  afterAll(() => opened?.close())
  return () => {
    if (!opened) throw new Error('the database is opened before the tests')
    return opened.dataSource
  }
}

/** Records on the one database of a file, emptied. */
const emptied =
  <Records>(database: () => DataSource, Records: new (dataSource: DataSource) => Records) =>
  async () => {
    for (const { options } of ENTITIES) await database().query(`DELETE FROM ${options.tableName}`)
    return { records: new Records(database()), close: async () => {} }
  }

/** Alarms with the videos and devices that they are joined to. */
async function openAlarms(database: () => DataSource): Promise<OpenedAlarmRecords> {
  const { records, close } = await emptied(database, TypeormAlarmRecords)()
  const dataSource = database()
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

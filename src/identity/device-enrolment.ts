import { Injectable, Logger } from '@nestjs/common'
import { AppConfig } from '../config/app-config.js'
import { type DeviceId, deviceKindOf } from '../model/device-id.js'
import { DiskGuard } from '../storage/disk-guard.js'
import { DeviceRecords } from '../storage/sql/device-records.js'
import { ErasingDevices } from './erasing-devices.js'
import { newDeviceRecord } from './new-device-record.js'

/** Registers cellular units on their first login, where `DEVICE_ENROLMENT` lets it. */
@Injectable()
export class DeviceEnrolment {
  private readonly logger = new Logger('login')

  constructor(
    private readonly config: AppConfig,
    private readonly records: DeviceRecords,
    private readonly disk: DiskGuard,
    private readonly erasing: ErasingDevices,
  ) {}

  /**
   * @returns false: a unit of this id is not registered here by itself
   * @throws AppError `disk_full` | `store_unavailable` | `overloaded` when a device of this id is being erased
   */
  async enrol(deviceId: DeviceId): Promise<boolean> {
    const { DEVICE_ENROLMENT, IMEI_CHECK } = this.config
    if (DEVICE_ENROLMENT !== 'open' || deviceKindOf(deviceId, IMEI_CHECK) !== 'imei') return false
    this.disk.assertWritable()
    const isNew = await this.erasing.add(deviceId, () => this.records.insert(newDeviceRecord(deviceId, 'imei')))
    if (isNew) this.logger.log({ event: 'device_enrolled', deviceId })
    return true
  }
}

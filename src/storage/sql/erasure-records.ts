import type { DeviceId } from '../../model/device-id.js'

/** A device whose data is to go, and who asked for it. */
export interface ErasureRecord {
  readonly deviceId: DeviceId
  readonly by: string
  readonly address: string
  readonly askedAtMs: number
}

/** Erasures that have begun and are not known to have ended. */
export abstract class ErasureRecords {
  /** @returns false: one of this device is under way, and stays as it is */
  abstract add(record: ErasureRecord): Promise<boolean>
  abstract find(deviceId: DeviceId): Promise<ErasureRecord | undefined>
  /** Oldest first. */
  abstract list(): Promise<ErasureRecord[]>
  /** @returns false: there was none */
  abstract remove(deviceId: DeviceId): Promise<boolean>
}

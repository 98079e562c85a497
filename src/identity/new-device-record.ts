import type { DeviceId, DeviceKind } from '../model/device-id.js'
import type { DeviceRecord } from '../storage/sql/device-records.js'
import { newGeneration } from './device-secrets.js'

/** What may be known of a device when it is registered. */
type Given = Partial<Pick<DeviceRecord, 'name' | 'plate' | 'brand' | 'model' | 'secretHash'>>

/** A device as it begins, whoever registers it: active, of a generation of its own, never heard. */
export function newDeviceRecord(deviceId: DeviceId, kind: DeviceKind, given: Given = {}): DeviceRecord {
  return {
    deviceId,
    kind,
    name: null,
    plate: null,
    brand: null,
    model: null,
    protocol: null,
    status: 'active',
    secretHash: null,
    trackerAllowed: false,
    trackerSack: false,
    commandPassword: null,
    generation: newGeneration(),
    createdAtMs: Date.now(),
    lastSeenAtMs: null,
    ...given,
  }
}

import type { Position } from '../model/position.js'
import { formatTime } from '../model/time.js'
import type { Presence } from '../sessions/link.js'
import type { DeviceRecord } from '../storage/sql/device-records.js'
import { toPositionJson } from '../web/position-json.js'
import type { DeviceJson } from './device.schema.js'

/** What users are shown of a device; neither hashes nor passwords nor generations. */
export function toDeviceJson(record: DeviceRecord, presence: Presence, position: Position | undefined): DeviceJson {
  const lastSeenAtMs = Math.max(record.lastSeenAtMs ?? 0, presence.lastSeenAtMs ?? 0)
  return {
    deviceId: record.deviceId,
    kind: record.kind,
    name: record.name,
    plate: record.plate,
    brand: record.brand,
    model: record.model,
    protocol: record.protocol,
    status: record.status,
    authenticated: record.secretHash !== null && !record.trackerAllowed,
    trackerAllowed: record.trackerAllowed,
    contested: presence.contested,
    online: presence.online,
    transport: presence.transport,
    lastSeenAt: lastSeenAtMs === 0 ? null : formatTime(lastSeenAtMs),
    position: position === undefined ? null : toPositionJson(position),
    createdAt: formatTime(record.createdAtMs),
  }
}

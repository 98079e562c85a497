import type { DeviceId } from '../../src/model/device-id.js'
import {
  type DeviceChanges,
  type DeviceFacts,
  type DeviceQuery,
  type DeviceRecord,
  DeviceRecords,
} from '../../src/storage/sql/device-records.js'

/** A device as the registry keeps it, or with what is given instead. */
export function makeDevice(given: Partial<DeviceRecord> & Pick<DeviceRecord, 'deviceId'>): DeviceRecord {
  return {
    kind: /^\d{15}$/.test(given.deviceId) ? 'imei' : 'named',
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
    generation: 'g1',
    createdAtMs: Date.UTC(2026, 10, 1, 8),
    lastSeenAtMs: null,
    ...given,
  }
}

/** A registry in memory that counts how often it is asked: for tests of how much is asked of it, not of what it answers. */
export class MemoryDeviceRecords extends DeviceRecords {
  readonly calls: Array<{ method: string; ids: number }> = []
  private readonly records = new Map<DeviceId, DeviceRecord>()
  /** Thrown by the next calls, until it is undefined again. */
  failure: Error | undefined

  constructor(records: readonly DeviceRecord[] = []) {
    super()
    for (const record of records) this.records.set(record.deviceId, record)
  }

  override async find(deviceId: DeviceId): Promise<DeviceRecord | undefined> {
    this.note('find')
    return this.records.get(deviceId)
  }

  override async list(query: DeviceQuery): Promise<DeviceRecord[]> {
    this.note('list', Math.max(query.limit, query.among?.length ?? 0))
    const among = query.among === undefined ? undefined : new Set(query.among)
    return [...this.records.values()]
      .filter((record) => matches(record, query) && (among?.has(record.deviceId) ?? true))
      .sort((a, b) => Buffer.compare(Buffer.from(a.deviceId), Buffer.from(b.deviceId)))
      .slice(0, query.limit)
  }

  override async insert(record: DeviceRecord): Promise<boolean> {
    this.note('insert')
    if (this.records.has(record.deviceId)) return false
    this.records.set(record.deviceId, record)
    return true
  }

  override async update(deviceId: DeviceId, changes: DeviceChanges): Promise<DeviceRecord | undefined> {
    this.note('update')
    const record = this.records.get(deviceId)
    if (record === undefined) return undefined
    const changed = { ...record, ...changes }
    this.records.set(deviceId, changed)
    return changed
  }

  override async learn(deviceId: DeviceId, facts: DeviceFacts): Promise<DeviceRecord | undefined> {
    this.note('learn')
    const record = this.records.get(deviceId)
    if (record === undefined) return undefined
    const { protocol } = facts
    const [brand, model] = [record.brand ?? facts.brand ?? null, record.model ?? facts.model ?? null]
    const learnt = { ...record, protocol, brand, model }
    this.records.set(deviceId, learnt)
    return learnt
  }

  override async delete(deviceId: DeviceId): Promise<boolean> {
    this.note('delete')
    return this.records.delete(deviceId)
  }

  override async touch(lastSeen: ReadonlyArray<{ readonly deviceId: DeviceId; readonly atMs: number }>): Promise<void> {
    this.note('touch', lastSeen.length)
    for (const { deviceId, atMs } of lastSeen) {
      const record = this.records.get(deviceId)
      if (record !== undefined && atMs > (record.lastSeenAtMs ?? 0)) {
        this.records.set(deviceId, { ...record, lastSeenAtMs: atMs })
      }
    }
  }

  override async rememberAddress(): Promise<void> {
    this.note('rememberAddress')
  }

  override async isKnownAddress(): Promise<boolean> {
    this.note('isKnownAddress')
    return false
  }

  override async forgetAddresses(): Promise<number> {
    this.note('forgetAddresses')
    return 0
  }

  private note(method: string, ids = 1): void {
    this.calls.push({ method, ids })
    if (this.failure !== undefined) throw this.failure
  }
}

function matches(record: DeviceRecord, { text, statuses, kinds, except, afterDeviceId }: DeviceQuery): boolean {
  const words = [record.deviceId, record.name, record.plate, record.brand, record.model]
    .join(' ')
    .toLowerCase()
    .split(/\s+/)
  const asked = (text ?? '').toLowerCase().split(/\s+/)
  return (
    asked.every((one) => words.some((word) => word.startsWith(one))) &&
    (statuses?.includes(record.status) ?? true) &&
    (kinds?.includes(record.kind) ?? true) &&
    !(except?.includes(record.deviceId) ?? false) &&
    (afterDeviceId === undefined || record.deviceId > afterDeviceId)
  )
}

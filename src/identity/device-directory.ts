import { LRUCache } from 'lru-cache'
import type { DeviceId } from '../model/device-id.js'
import type { DeviceRecord, DeviceRecords } from '../storage/sql/device-records.js'

/** What of a device decides whether it may speak, and how. */
export type DeviceIdentity = Pick<
  DeviceRecord,
  | 'deviceId'
  | 'kind'
  | 'status'
  | 'secretHash'
  | 'trackerAllowed'
  | 'trackerSack'
  | 'generation'
  | 'brand'
  | 'model'
  | 'protocol'
  | 'commandPassword'
>

/** About 40 MB when full. */
const MAX_KNOWN = 100_000
const MAX_ABSENT = 10_000
const ABSENT_MS = 5000

interface Load {
  promise: Promise<DeviceIdentity | undefined>
  /** The device was changed while the store was being asked: the answer may be from before. */
  isOvertaken: boolean
}

/**
 * The registry's identity facts in memory, so that tokens are checked without a database read and go on working while the
 * database is away. Whoever changes a device tells it through {@link put} or {@link invalidate} after the change was stored.
 */
export class DeviceDirectory {
  private readonly known = new LRUCache<DeviceId, DeviceIdentity>({ max: MAX_KNOWN })
  private readonly absentUntilMs = new LRUCache<DeviceId, number>({ max: MAX_ABSENT })
  private readonly loads = new Map<DeviceId, Load>()
  private readonly changeListeners: Array<(deviceId: DeviceId) => void> = []

  constructor(
    private readonly records: DeviceRecords,
    private readonly now: () => number = Date.now,
  ) {}

  /** Registers for devices whose facts may have changed: {@link find} knows them as they are now. Listeners must not throw or wait. */
  onChange(listener: (deviceId: DeviceId) => void): void {
    this.changeListeners.push(listener)
  }

  /**
   * The device's facts, from memory where they are there.
   * @returns undefined: not in the registry
   * @throws AppError `store_unavailable` when the store has to be asked and cannot be
   */
  async find(deviceId: DeviceId): Promise<DeviceIdentity | undefined> {
    const known = this.known.get(deviceId)
    if (known !== undefined) return known
    if ((this.absentUntilMs.get(deviceId) ?? 0) > this.now()) return undefined
    return this.reload(deviceId)
  }

  /** The facts if they are in memory; never asks the store. */
  peek(deviceId: DeviceId): DeviceIdentity | undefined {
    return this.known.get(deviceId)
  }

  /** Asks the store whatever memory says; callers that ask at the same time share one read. */
  reload(deviceId: DeviceId): Promise<DeviceIdentity | undefined> {
    const running = this.loads.get(deviceId)
    if (running !== undefined) return running.promise
    const load: Load = { promise: Promise.resolve(undefined), isOvertaken: false }
    this.loads.set(deviceId, load)
    load.promise = this.fetch(deviceId, load)
    return load.promise
  }

  /** A device was stored or changed: what it may do follows from these facts from now on. */
  put(record: DeviceIdentity): void {
    this.overtake(record.deviceId)
    this.keep(record)
    this.tell(record.deviceId)
  }

  /** A device was deleted, or changed in a way the caller does not know whole. */
  invalidate(deviceId: DeviceId): void {
    this.overtake(deviceId)
    this.known.delete(deviceId)
    this.absentUntilMs.delete(deviceId)
    this.tell(deviceId)
  }

  private async fetch(deviceId: DeviceId, load: Load): Promise<DeviceIdentity | undefined> {
    try {
      const record = await this.records.find(deviceId)
      if (load.isOvertaken) return await this.find(deviceId)
      if (record !== undefined) return this.keep(record)
      this.known.delete(deviceId)
      this.absentUntilMs.set(deviceId, this.now() + ABSENT_MS)
      return undefined
    } finally {
      if (this.loads.get(deviceId) === load) this.loads.delete(deviceId)
    }
  }

  private keep(record: DeviceIdentity): DeviceIdentity {
    const { deviceId, kind, status, secretHash, trackerAllowed, trackerSack, generation } = record
    const { brand, model, protocol, commandPassword } = record
    const facts = {
      deviceId,
      kind,
      status,
      secretHash,
      trackerAllowed,
      trackerSack,
      generation,
      brand,
      model,
      protocol,
      commandPassword,
    }
    this.absentUntilMs.delete(deviceId)
    this.known.set(deviceId, facts)
    return facts
  }

  private tell(deviceId: DeviceId): void {
    for (const listener of this.changeListeners) listener(deviceId)
  }

  private overtake(deviceId: DeviceId): void {
    const load = this.loads.get(deviceId)
    if (load === undefined) return
    load.isOvertaken = true
    this.loads.delete(deviceId)
  }
}

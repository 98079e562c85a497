import type { AppError } from '../../src/model/app-error.js'
import type { DeviceId } from '../../src/model/device-id.js'
import type { BoundingBox, Position, TimeRange } from '../../src/model/position.js'
import {
  type AppendResult,
  PositionStore,
  type TrackPlace,
  type TrackQuery,
} from '../../src/storage/positions/position-store.js'

/** What a fault touches: a full disk can still be read, a lost server cannot. */
export interface FaultReach {
  readonly reads: boolean
}

type Fault = (FaultReach & { readonly over: Promise<void> }) | (FaultReach & { readonly error: AppError })

/** A position store whose disk stalls, fails or fills up when a test says so. */
export class FaultyPositionStore extends PositionStore {
  private fault: Fault | undefined
  private endStall: () => void = () => {}

  constructor(private readonly inner: PositionStore) {
    super()
  }

  /** From now on writes and health checks wait until the recovery, and are then carried out in the order they came. */
  stall(reach: FaultReach = { reads: false }): void {
    this.recover()
    const over = new Promise<void>((resolve) => {
      this.endStall = resolve
    })
    this.fault = { ...reach, over }
  }

  /** From now on writes and health checks end with this error; nothing reaches the store. */
  fail(error: AppError, reach: FaultReach = { reads: false }): void {
    this.recover()
    this.fault = { ...reach, error }
  }

  recover(): void {
    this.fault = undefined
    this.endStall()
  }

  override append(positions: readonly Position[]): Promise<AppendResult> {
    return this.write(() => this.inner.append(positions))
  }

  override findLatest(deviceId: DeviceId): Promise<Position | undefined> {
    return this.read(() => this.inner.findLatest(deviceId))
  }

  override listLatest(deviceIds: readonly DeviceId[]): Promise<Position[]> {
    return this.read(() => this.inner.listLatest(deviceIds))
  }

  override listDeviceIdsInBox(box: BoundingBox, limit: number, afterDeviceId?: DeviceId): Promise<DeviceId[]> {
    return this.read(() => this.inner.listDeviceIdsInBox(box, limit, afterDeviceId))
  }

  override listDeviceIds(limit: number, afterDeviceId?: DeviceId): Promise<DeviceId[]> {
    return this.read(() => this.inner.listDeviceIds(limit, afterDeviceId))
  }

  override listBefore(deviceId: DeviceId, before: TrackPlace, limit: number): Promise<Position[]> {
    return this.read(() => this.inner.listBefore(deviceId, before, limit))
  }

  override listTrack(deviceId: DeviceId, query: TrackQuery): Promise<Position[]> {
    return this.read(() => this.inner.listTrack(deviceId, query))
  }

  override measureDistance(deviceId: DeviceId, range: TimeRange): Promise<{ meters: number; points: number }> {
    return this.read(() => this.inner.measureDistance(deviceId, range))
  }

  override eraseDevice(deviceId: DeviceId): Promise<void> {
    return this.write(() => this.inner.eraseDevice(deviceId))
  }

  override removeOlderThan(timeMs: number): Promise<number> {
    return this.write(() => this.inner.removeOlderThan(timeMs))
  }

  override checkHealth(): Promise<void> {
    return this.write(() => this.inner.checkHealth())
  }

  override async close(): Promise<void> {
    this.recover()
    await this.inner.close()
  }

  private async write<T>(work: () => Promise<T>): Promise<T> {
    await suffer(this.fault)
    return work()
  }

  private async read<T>(work: () => Promise<T>): Promise<T> {
    if (this.fault?.reads) await suffer(this.fault)
    return work()
  }
}

async function suffer(fault: Fault | undefined): Promise<void> {
  if (!fault) return
  if ('error' in fault) throw fault.error
  await fault.over
}

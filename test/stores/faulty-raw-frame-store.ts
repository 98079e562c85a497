import type { DeviceId } from '../../src/model/device-id.js'
import {
  type RawFrame,
  type RawFrameQuery,
  RawFrameStore,
  type StoredRawFrame,
} from '../../src/storage/frames/raw-frame-store.js'

/** A store of frames that stalls or fails when a test says so; what it refuses does not reach the store. */
export class FaultyRawFrameStore extends RawFrameStore {
  private error: Error | undefined
  private over: Promise<void> | undefined
  private endStall: () => void = () => undefined
  /** Whether its health check fails with it. */
  private isSick = true

  constructor(private readonly inner: RawFrameStore) {
    super()
  }

  /** From now on writes wait until the recovery. */
  stall(): void {
    this.recover()
    this.over = new Promise((resolve) => {
      this.endStall = resolve
    })
  }

  /** From now on writes, and health checks unless only the frames are at fault, end with this error. */
  fail(error: Error, { isSick = true } = {}): void {
    this.recover()
    this.error = error
    this.isSick = isSick
  }

  recover(): void {
    this.error = undefined
    this.over = undefined
    this.endStall()
  }

  override async keep(frames: readonly RawFrame[]): Promise<void> {
    if (this.error !== undefined) throw this.error
    await this.over
    await this.inner.keep(frames)
  }

  override list(query: RawFrameQuery): Promise<StoredRawFrame[]> {
    return this.inner.list(query)
  }

  override eraseDevice(deviceId: DeviceId): Promise<void> {
    return this.inner.eraseDevice(deviceId)
  }

  override removeOlderThan(atMs: number): Promise<number> {
    return this.inner.removeOlderThan(atMs)
  }

  override async giveWay(bytes: number): Promise<void> {
    if (this.error !== undefined) throw this.error
    await this.over
    await this.inner.giveWay(bytes)
  }

  override async checkHealth(): Promise<void> {
    if (this.error !== undefined && this.isSick) throw this.error
    await this.inner.checkHealth()
  }

  override async close(): Promise<void> {
    this.recover()
    await this.inner.close()
  }
}

import type { DeviceId } from '../../src/model/device-id.js'
import {
  mayGoOn,
  type RawFrame,
  type RawFrameQuery,
  RawFrameStore,
  type StoredRawFrame,
} from '../../src/storage/frames/raw-frame-store.js'

/** Frames in memory, for those who test what is done with a store and not the store. */
export class MemoryRawFrameStore extends RawFrameStore {
  private readonly kept: StoredRawFrame[] = []
  /** How many frames each write brought. */
  readonly writes: number[] = []

  override async keep(frames: readonly RawFrame[]): Promise<void> {
    this.writes.push(frames.length)
    for (const frame of frames) this.kept.push({ ...frame, id: String(this.kept.length + 1).padStart(9, '0') })
  }

  override async list(query: RawFrameQuery): Promise<StoredRawFrame[]> {
    const { deviceId, fromMs = Number.NEGATIVE_INFINITY, toMs = Number.POSITIVE_INFINITY, direction, limit } = query
    const sign = query.order === 'newest' ? -1 : 1
    const { after } = query
    const found = this.kept
      .filter((frame) => frame.deviceId === deviceId && frame.atMs >= fromMs && frame.atMs < toMs)
      .filter((frame) => direction === undefined || frame.direction === direction)
      .filter((frame) => after === undefined || sign * compare(frame, after) > 0)
      .sort((a, b) => sign * compare(a, b))
    const page: StoredRawFrame[] = []
    for (const frame of found) {
      if (mayGoOn(page, limit)) break
      page.push(frame)
    }
    return page
  }

  override async eraseDevice(deviceId: DeviceId): Promise<void> {
    this.removeWhere((frame) => frame.deviceId === deviceId)
  }

  override async removeOlderThan(atMs: number): Promise<number> {
    return this.removeWhere((frame) => frame.atMs < atMs)
  }

  /** How many bytes it was asked to give way. */
  readonly givenWay: number[] = []

  override async giveWay(bytes: number): Promise<void> {
    this.givenWay.push(bytes)
  }

  override async checkHealth(): Promise<void> {}

  override async close(): Promise<void> {}

  private removeWhere(isGone: (frame: StoredRawFrame) => boolean): number {
    const left = this.kept.filter((frame) => !isGone(frame))
    const removed = this.kept.length - left.length
    this.kept.splice(0, this.kept.length, ...left)
    return removed
  }
}

type Place = Pick<StoredRawFrame, 'atMs' | 'id'>

function compare(a: Place, b: Place): number {
  return a.atMs - b.atMs || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}

import type { DeviceId } from '../../model/device-id.js'

export type FrameDirection = 'in' | 'out'

/** What was read from, or written to, a unit's connection. */
export interface RawFrame {
  readonly deviceId: DeviceId
  /** Server's clock, epoch milliseconds UTC. */
  readonly atMs: number
  readonly direction: FrameDirection
  /** Name of the codec, or `socket`. */
  readonly protocol: string
  /** Tells connections apart: `tcp:203.0.113.7:40112#17`, the last part counted by the process. */
  readonly link: string
  readonly bytes: Uint8Array
}

/** A stored one; ids of one device grow with `atMs`, and with the order of arrival within a millisecond. */
export interface StoredRawFrame extends RawFrame {
  readonly id: string
}

/** A list ends with the frame with which it has this many bytes, whatever its limit: a page of long ones is no burden to who asks. */
export const MOST_LISTED_BYTES = 1_048_576

/** Every filter that is given must match. */
export interface RawFrameQuery {
  readonly deviceId: DeviceId
  /** At this moment or later. */
  readonly fromMs?: number
  /** Before this moment. */
  readonly toMs?: number
  readonly direction?: FrameDirection
  readonly limit: number
  readonly order: 'newest' | 'oldest'
  /** Exclusive: continue after this one, in that order. */
  readonly after?: { readonly atMs: number; readonly id: string }
}

/**
 * Keeps what units said and were told, byte by byte: in batches, for a bounded time, and within a bound of bytes that each adapter is
 * opened with: beyond it the oldest frames of all devices give way to newer ones.
 */
export abstract class RawFrameStore {
  /**
   * Durable when it resolves, as everything is; a frame is kept once however often the call is repeated within the store.
   * @throws AppError `store_unavailable` | `disk_full`: some of them may not have been kept
   */
  abstract keep(frames: readonly RawFrame[]): Promise<void>
  /** One page; {@link mayGoOn} says whether it may be the last one. */
  abstract list(query: RawFrameQuery): Promise<StoredRawFrame[]>
  /** Removes everything of one device. */
  abstract eraseDevice(deviceId: DeviceId): Promise<void>
  /** Removes frames from before the moment, in small steps. @returns how many */
  abstract removeOlderThan(atMs: number): Promise<number>
  /**
   * Lets the oldest frames go, in small steps, until so many bytes more are free on the data disk, or none are left; where frames do not lie
   * on it, none goes.
   */
  abstract giveWay(bytes: number): Promise<void>
  /** @throws AppError `store_unavailable` with the reason, when frames could not be kept now */
  abstract checkHealth(): Promise<void>
  /** Finishes what is under way and closes. */
  abstract close(): Promise<void>
}

/** Whether there may be more behind a list that was asked for with this limit. */
export function mayGoOn(listed: readonly Pick<RawFrame, 'bytes'>[], limit: number): boolean {
  return listed.length >= limit || listed.reduce((sum, { bytes }) => sum + bytes.length, 0) >= MOST_LISTED_BYTES
}

import type { DeviceId } from '../../model/device-id.js'

/** A record that can never be stored, as it came, with the reason. */
export interface QuarantinedRecord {
  readonly deviceId: DeviceId
  /** The way in: `socket`, `http`, … */
  readonly ingress: string
  /** Stable code of the refusal, such as `invalid_latitude`. */
  readonly code: string
  readonly receivedAtMs: number
  /** What came, as JSON text (or hex for raw frames), cut to 8 KiB. */
  readonly raw: string
}

/** A stored one; ids grow with arrival. */
export interface StoredQuarantinedRecord extends QuarantinedRecord {
  readonly id: string
}

/** Every filter that is given must match. */
export interface QuarantineQuery {
  readonly deviceIds?: readonly DeviceId[]
  readonly codes?: readonly string[]
  /** Received at this moment or later. */
  readonly fromMs?: number
  /** Received before this moment. */
  readonly toMs?: number
  readonly limit: number
  /** Exclusive: continue with records older than this one. */
  readonly before?: { readonly receivedAtMs: number; readonly id: string }
}

/** Keeps refused records for inspection, newest first, at most a bounded number for each device (the oldest give way). */
export abstract class QuarantineStore {
  /** At most this many records of one device are kept. */
  static readonly RECORDS_PER_DEVICE = 1000
  /** Longer ones are cut, between two characters, to at most this many bytes of UTF-8. */
  static readonly RAW_BYTES = 8192

  /** @throws AppError `store_unavailable` | `disk_full`: none of them was kept */
  abstract keep(records: readonly QuarantinedRecord[]): Promise<void>
  /** Newest first; ties by id, descending. */
  abstract list(query: QuarantineQuery): Promise<StoredQuarantinedRecord[]>
  /** Removes everything of one device. */
  abstract eraseDevice(deviceId: DeviceId): Promise<void>
  /** Removes records received before the moment, in small steps. @returns how many */
  abstract removeOlderThan(receivedAtMs: number): Promise<number>
  /** @throws AppError `store_unavailable` with the reason, when records could not be kept now */
  abstract checkHealth(): Promise<void>
  /** Finishes what is under way and closes. */
  abstract close(): Promise<void>
}

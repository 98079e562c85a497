import type { DeviceId } from '../../model/device-id.js'

/** What is to wait for its store, in the words of whoever puts it there. */
export interface NewSpooledEntry {
  readonly deviceId: DeviceId
  /** Of what it says: while an entry of this device and key waits, the same is not kept again. */
  readonly key: string
  readonly keptAtMs: number
  /** Text without halves of surrogate pairs. */
  readonly body: string
}

/** What waits for its store. */
export interface SpooledEntry extends NewSpooledEntry {
  /** Grows with arrival, and is never given twice. */
  readonly id: number
}

export interface SpoolQuery {
  readonly limit: number
  /** Only those that came after the one with this id. */
  readonly afterId?: number
  readonly deviceId?: DeviceId
}

export interface SpoolState {
  readonly entries: number
  /** Of bodies, UTF-8. */
  readonly bytes: number
  /** null: nothing waits. */
  readonly oldestAtMs: number | null
}

/**
 * What must not be lost while a store is away, on the local disk: also on a node whose other stores are servers. What was kept is synced
 * and survives the process and the power; what was removed may come back after a crash, so that whoever drains it must bear repeats.
 */
export abstract class SpoolStore {
  /**
   * Resolves when all of them are on disk, in this order after those that were kept before.
   * @returns the id of each; undefined: the same waits already
   * @throws AppError `overloaded` when the spool is full, `disk_full`, `store_unavailable`: none of them was kept, as far as is known
   */
  abstract keep(entries: readonly NewSpooledEntry[]): Promise<ReadonlyArray<number | undefined>>
  /** The oldest that match, in order; at most some megabytes of them, but one at least. */
  abstract list(query: SpoolQuery): Promise<SpooledEntry[]>
  /** How many wait of each device. */
  abstract countByDevice(): Promise<ReadonlyMap<DeviceId, number>>
  /** They are where they belong. Ids that are not there any more are no matter. */
  abstract remove(ids: readonly number[]): Promise<void>
  /** Removes everything of one device. */
  abstract eraseDevice(deviceId: DeviceId): Promise<void>
  /** As of the last answer of the store: it costs nothing to ask. */
  abstract state(): SpoolState
  /** @throws AppError `store_unavailable` with the reason, when nothing could be kept now */
  abstract checkHealth(): Promise<void>
  /** Finishes what is under way and closes. */
  abstract close(): Promise<void>
}

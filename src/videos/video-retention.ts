import { Injectable } from '@nestjs/common'
import { VideoRecords } from '../storage/sql/video-records.js'
import { VideoRemoval } from './video-removal.js'

/** Videos that are looked at in one step. */
const STEP = 50

/** Removes old videos, one after the other, but for those that somebody keeps. */
@Injectable()
export class VideoRetention {
  constructor(
    private readonly records: VideoRecords,
    private readonly removal: VideoRemoval,
  ) {}

  /**
   * Removes those from before the moment by the unit's clock, or by the upload when the unit did not say. One that cannot be removed
   * holds up no other.
   * @returns how many
   * @throws Error the first failure, after all others had their turn
   */
  async removeOlderThan(beforeMs: number): Promise<number> {
    const failures = new Map<string, unknown>()
    let removed = 0
    for (;;) {
      const old = await this.records.listOlderThan(beforeMs, STEP + failures.size)
      const next = old.filter(({ id }) => !failures.has(id)).slice(0, STEP)
      if (next.length === 0) break
      for (const { id } of next) {
        try {
          if ((await this.removal.remove(id, { unlessKept: true })) !== undefined) removed += 1
        } catch (error) {
          failures.set(id, error)
        }
      }
    }
    for (const error of failures.values()) throw error
    return removed
  }
}

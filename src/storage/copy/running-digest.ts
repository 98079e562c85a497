import { createHash } from 'node:crypto'
import type { SideDigest } from './copy-part.js'

/** A digest of records that pass one after the other. */
export class RunningDigest {
  private readonly hash = createHash('sha256')
  private passed = 0

  get count(): number {
    return this.passed
  }

  /** @param counted how many it stands for */
  take(record: string, counted = 1): void {
    this.hash.update(record).update('\n')
    this.passed += counted
  }

  finish(): SideDigest {
    return { count: this.passed, sha256: this.hash.digest('hex') }
  }
}

import { Injectable } from '@nestjs/common'
import { AppConfig } from '../config/app-config.js'
import { AppError } from '../model/app-error.js'
import { Sessions } from '../sessions/sessions.js'
import { DiskGuard } from '../storage/disk-guard.js'
import { gatherChunks } from './gathered-chunks.js'
import type { UploadUnderWay } from './uploads-under-way.js'

const LOOK_EVERY_MS = 1000

/** What every upload goes through on its way to the blob store, whichever way it came. */
@Injectable()
export class UploadFlow {
  /** Largest file. */
  readonly maxBytes: number

  constructor(
    config: AppConfig,
    private readonly disk: DiskGuard,
    private readonly sessions: Sessions,
  ) {
    this.maxBytes = config.VIDEO_MAX_BYTES
  }

  /** @throws AppError `body_too_large` for a file of this size */
  checkSize(bytes: number): void {
    if (bytes > this.maxBytes) throw new AppError('body_too_large', `A video has at most ${this.maxBytes} bytes`)
  }

  /**
   * Hands an upload's bytes on until there are too many of them or the disk is full; its device counts as heard meanwhile. Small
   * chunks are put together.
   * @param leftBytes so many may still come
   * @throws AppError `body_too_large` | `disk_full` | what the upload was refused with
   */
  async *pass(upload: UploadUnderWay, leftBytes: number): AsyncGenerator<Uint8Array, void, undefined> {
    let left = leftBytes
    // Also before anything is read: a client may wait for leave to send.
    this.disk.assertWritable()
    let lookAtMs = 0
    for await (const chunk of gatherChunks(upload.bytes())) {
      left -= chunk.length
      if (left < 0) throw new AppError('body_too_large', 'There are more bytes than the file may have')
      const now = performance.now()
      if (now >= lookAtMs) {
        lookAtMs = now + LOOK_EVERY_MS
        this.disk.assertWritable()
        this.sessions.heardWithoutLink(upload.deviceId, 'http')
      }
      yield chunk
    }
  }
}

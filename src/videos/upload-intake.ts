import { Injectable } from '@nestjs/common'
import { Metrics } from '../metrics/metrics.js'
import { AppError } from '../model/app-error.js'
import { BlobStore } from '../storage/blobs/blob-store.js'
import { type UploadRecord, UploadRecords } from '../storage/sql/upload-records.js'
import type { UploadBody } from './upload-body.js'
import { UploadFlow } from './upload-flow.js'
import { UploadState } from './upload-state.js'
import { UploadsUnderWay, UploadUnderWay } from './uploads-under-way.js'

/** How far the saved state has seen the file. */
interface Seen {
  readonly offset: number
  readonly hashState: string
}

/**
 * Appends bytes to resumable uploads. The record says at any time how many bytes are durable *and* covered by the saved state, both in
 * one write; what the blob store holds beyond that is dropped when the upload goes on.
 */
@Injectable()
export class UploadIntake {
  constructor(
    private readonly underWay: UploadsUnderWay,
    private readonly flow: UploadFlow,
    private readonly uploads: UploadRecords,
    private readonly blobs: BlobStore,
    private readonly metrics: Metrics,
  ) {}

  /**
   * @param settle what is done with the upload afterwards; when it has become a video by that, it was stored
   * @throws AppError as the bytes do, and what they are refused with; `not_found` the upload was dropped meanwhile
   */
  async append(
    record: UploadRecord,
    body: UploadBody,
    settle: (record: UploadRecord) => Promise<UploadRecord>,
  ): Promise<UploadRecord> {
    const entry = new UploadUnderWay(record.deviceId, 'tus', body)
    entry.blobUploadId = record.blobUploadId
    const { after } = await this.underWay.run(entry, async () => {
      const after = await settle({ ...record, ...(await this.receive(record, entry)) })
      return { after, outcome: after.videoId === null ? ('part' as const) : ('stored' as const) }
    })
    return after
  }

  private async receive(record: UploadRecord, entry: UploadUnderWay): Promise<Seen> {
    const state = await UploadState.load(record.hashState)
    if (state === undefined) throw new AppError('offset_conflict', 'Ask for the offset')
    const checkpoints = new Checkpoints({ offset: record.offset, hashState: record.hashState })
    const limit = record.length ?? this.flow.maxBytes
    const { flow } = this
    const counted = this.metrics.uploadBytes.labels({ way: 'tus' })
    async function* inspected(): AsyncGenerator<Uint8Array, void, undefined> {
      let offset = record.offset
      for await (const chunk of flow.pass(entry, limit - record.offset)) {
        await state?.take(chunk)
        counted.inc(chunk.length)
        offset += chunk.length
        // After each: at which of them the bytes are durable is the blob store's to say, and some can go on from there only.
        if (state !== undefined) checkpoints.add({ offset, hashState: state.save() })
        yield chunk
      }
    }
    await this.blobs.append(record.blobUploadId, record.offset, inspected(), async (durable) => {
      const seen = checkpoints.reach(durable)
      if (seen === undefined || (await this.uploads.update(record.id, { ...seen, updatedAtMs: Date.now() }))) return
      // Another node has dropped it, or its device is erased: what was written is of no upload any more.
      throw new AppError('not_found', 'The upload is gone')
    })
    return checkpoints.last
  }
}

/** Saved states that wait for their bytes to be durable. */
class Checkpoints {
  private readonly waiting: Seen[] = []

  /** @param last the newest one that is on disk */
  constructor(public last: Seen) {}

  add(seen: Seen): void {
    this.waiting.push(seen)
  }

  /** The newest one whose bytes are durable, or undefined when there is none newer than the last. */
  reach(durableBytes: number): Seen | undefined {
    let reached: Seen | undefined
    while ((this.waiting[0]?.offset ?? Number.POSITIVE_INFINITY) <= durableBytes) reached = this.waiting.shift()
    if (reached !== undefined) this.last = reached
    return reached
  }
}

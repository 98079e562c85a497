import { setTimeout as sleep } from 'node:timers/promises'
import { Injectable } from '@nestjs/common'
import { AppConfig } from '../config/app-config.js'
import { Metrics } from '../metrics/metrics.js'
import { AppError } from '../model/app-error.js'
import type { DeviceId } from '../model/device-id.js'
import type { BlobUploadId } from '../storage/blobs/blob-store.js'
import { type Standing, UploadAdmission } from './upload-admission.js'
import type { UploadBody } from './upload-body.js'

/** How an upload came in. */
export type UploadWay = 'put' | 'multipart' | 'tus' | 'direct'

/** What became of the request: `part`, bytes of a resumable upload that is not whole yet. */
export type UploadOutcome = 'stored' | 'duplicate' | 'part'

const ENDS = ['stored', 'duplicate', 'cut', 'refused', 'failed']
const ENDS_OF_WAYS: Readonly<Record<UploadWay, readonly string[]>> = {
  put: ENDS,
  multipart: ENDS,
  tus: ['part', ...ENDS.filter((end) => end !== 'duplicate')],
  // Whoever asked may leave: what the store has is read all the same.
  direct: ENDS.filter((end) => end !== 'cut'),
}

const RETRY_AFTER_MS = 5000
/** An upload that was refused and has not ended by then is cut. */
const CUT_AFTER_MS = 1000
/** What goes on although it was cut is left then: a store that copies a large file may need minutes. */
const LEFT_AFTER_MS = 2000

const stopping = () => new AppError('overloaded', 'The server is stopping', { retryAfterMs: RETRY_AFTER_MS })

/** One request that brings bytes, or says that they are in the store. */
export class UploadUnderWay {
  /** Where its bytes go, once that is known. */
  blobUploadId: BlobUploadId | undefined
  /** As what its device was let in, once that is known. */
  standing: Standing | undefined
  private refusal: { readonly error: unknown } | undefined
  private endWait: ((error: unknown) => void) | undefined

  constructor(
    readonly deviceId: DeviceId,
    readonly way: UploadWay,
    readonly body: UploadBody,
  ) {}

  /** Takes no more of it, whether bytes are coming or not. */
  refuse(error: unknown): void {
    this.refusal ??= { error }
    this.endWait?.(error)
  }

  /** The body's bytes. @throws also what it was refused with, at once */
  async *bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    const iterator = this.body.bytes[Symbol.asyncIterator]()
    try {
      for (;;) {
        const next = await this.unlessRefused(iterator.next())
        if (next.done) return
        yield next.value
      }
    } finally {
      // Not awaited: a client that sends nothing would keep this waiting as well.
      Promise.resolve(iterator.return?.()).catch(() => undefined)
    }
  }

  /** One place for who ends the wait: a race of promises would keep something for each piece as long as the upload lasts. */
  private unlessRefused<T>(next: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.endWait = reject
      if (this.refusal) reject(this.refusal.error)
      next.then(resolve, reject)
    })
  }
}

/** The requests that bring bytes now: counted, limited for each device, refused when it is shut out, and when the server stops. */
@Injectable()
export class UploadsUnderWay {
  private readonly all = new Map<UploadUnderWay, Promise<unknown>>()
  private readonly perDevice: number
  private isStopping = false

  constructor(
    config: AppConfig,
    private readonly metrics: Metrics,
    private readonly admission: UploadAdmission,
  ) {
    this.perDevice = config.UPLOADS_PER_DEVICE
    admission.onDoubt((deviceId) => this.review(deviceId))
    // A rate over a counter that begins with its first sample misses what that one counts.
    for (const [way, ends] of Object.entries(ENDS_OF_WAYS)) {
      for (const outcome of ends) metrics.uploads.inc({ way, outcome }, 0)
    }
    metrics.watchOpenUploads(() => this.countOpen())
  }

  /**
   * Runs one.
   * @param work answers with its outcome beside the result
   * @throws AppError `too_many_requests` the device has too many already; `overloaded` the server is stopping; `token_invalid` the
   * device was shut out, also in the middle of it
   */
  async run<T extends { readonly outcome: UploadOutcome }>(
    upload: UploadUnderWay,
    work: (upload: UploadUnderWay) => Promise<T>,
  ): Promise<T> {
    try {
      this.admit(upload.deviceId)
      const running = this.begin(upload, work)
      this.all.set(upload, running)
      const result = await running
      this.count(upload, result.outcome)
      return result
    } catch (error) {
      this.count(upload, upload.body.isCut ? 'cut' : error instanceof AppError ? 'refused' : 'failed')
      throw error
    } finally {
      this.all.delete(upload)
    }
  }

  /** Counts a request that was refused before {@link run}. */
  countRefused(way: UploadWay): void {
    this.metrics.uploads.inc({ way, outcome: 'refused' })
  }

  /** Whether bytes are going there now. */
  isFed(blobUploadId: BlobUploadId): boolean {
    return [...this.all.keys()].some((upload) => upload.blobUploadId === blobUploadId)
  }

  /**
   * Takes nothing more, refuses what is under way so that its units are told to come again, and resolves when all of it has ended;
   * what does not end by being refused is cut. What does not end by that either, such as a store's copying, is left to itself: its
   * video has taken its name by then, and the next start shows it. Resumable uploads keep what they have.
   * @returns how many were under way
   */
  async stop(): Promise<number> {
    this.isStopping = true
    const stopped = this.all.size
    for (const upload of this.all.keys()) upload.refuse(stopping())
    const ended = Promise.allSettled(this.all.values())
    await endsWithin(ended, CUT_AFTER_MS)
    for (const { body } of this.all.keys()) body.cut()
    await endsWithin(ended, LEFT_AFTER_MS)
    return stopped
  }

  private async begin<T>(upload: UploadUnderWay, work: (upload: UploadUnderWay) => Promise<T>): Promise<T> {
    upload.standing = await this.admission.admit(upload.deviceId)
    return work(upload)
  }

  /** Disabling a device ends what it is doing, as it ends its links. */
  private review(deviceId: DeviceId): void {
    for (const upload of this.all.keys()) {
      if (upload.deviceId !== deviceId || upload.standing === undefined) continue
      this.admission.assertStands(deviceId, upload.standing).catch((error: unknown) => {
        // A store that is away says nothing of the device.
        if (error instanceof AppError && error.code === 'token_invalid') upload.refuse(error)
      })
    }
  }

  private admit(deviceId: DeviceId): void {
    if (this.isStopping) throw stopping()
    const own = [...this.all.keys()].filter((upload) => upload.deviceId === deviceId)
    if (own.length < this.perDevice) return
    throw new AppError('too_many_requests', `The device has ${own.length} uploads under way`, {
      retryAfterMs: RETRY_AFTER_MS,
    })
  }

  private countOpen(): Map<string, number> {
    const open = new Map(Object.keys(ENDS_OF_WAYS).map((way) => [way, 0]))
    for (const { way } of this.all.keys()) open.set(way, (open.get(way) ?? 0) + 1)
    return open
  }

  private count({ way }: UploadUnderWay, outcome: UploadOutcome | 'cut' | 'refused' | 'failed'): void {
    this.metrics.uploads.inc({ way, outcome })
  }
}

/** Resolves when it has ended, or after the time given. */
async function endsWithin(ended: Promise<unknown>, ms: number): Promise<void> {
  const giveUp = new AbortController()
  await Promise.race([ended, sleep(ms, undefined, { signal: giveUp.signal }).catch(() => undefined)])
  giveUp.abort()
}

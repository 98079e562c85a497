import type { Readable } from 'node:stream'
import type { S3Client } from '@aws-sdk/client-s3'
import type { Metrics } from '../../metrics/metrics.js'
import { StoreOpenError } from '../store-open-error.js'
import { stopping } from './blob-errors.js'
import {
  BlobStore,
  type BlobUploadId,
  type ByteRange,
  type DirectUploads,
  type FindKnownUploads,
  type LocalFile,
  type OnDurable,
  type SignedAnswer,
} from './blob-store.js'
import { LocalCopies } from './local-copies.js'
import { openS3Bucket } from './open-s3-bucket.js'
import type { S3Bucket } from './s3-bucket.js'
import { type S3ConnectionOptions, signingClientOf } from './s3-connection.js'
import { S3DirectUploads } from './s3-direct-uploads.js'
import { withS3Errors } from './s3-errors.js'
import { PROBE_KEY } from './s3-keys.js'
import { bucketKeyOf, S3Objects } from './s3-objects.js'
import { S3Uploads } from './s3-uploads.js'
import { type TimedOperation, timedOperation } from './timed-operation.js'

export interface S3BlobsOptions extends S3ConnectionOptions {
  /** Milepost's alone: multipart uploads in it that it does not know are aborted. */
  readonly bucket: string
  /** Address of the server as units and users reach it. */
  readonly publicEndpoint?: string | undefined
  /** An existing one, for copies of objects that tools read as files. */
  readonly directory: string
  /** Asked before and while such a copy is written. @throws AppError `disk_full` */
  readonly assertWritable?: () => void
  readonly metrics?: Metrics
}

/** Whether objects can be stored is tried so often; in between it is asked whether they can be read. */
const WRITE_PROBE_EVERY_MS = 60_000

/**
 * Objects in a bucket of S3, or of a server that speaks as it does. An upload is a multipart upload straight to the object's key with
 * what is less than a part beside it (s3-uploads.ts), so that nothing is on this machine's disk and memory stays flat. S3 answers
 * when what it took is durable, makes an object appear whole, and lets who reads the old one read it to its end.
 */
export class S3BlobStore extends BlobStore {
  override readonly direct: DirectUploads
  private readonly objects: S3Objects
  private readonly uploads: S3Uploads
  private isClosed = false
  private writtenAtMs = Number.NEGATIVE_INFINITY

  constructor(
    private readonly bucket: S3Bucket,
    private readonly signer: S3Client,
    private readonly copies: LocalCopies,
    private readonly metrics?: Metrics,
  ) {
    super()
    this.objects = new S3Objects(bucket, signer)
    const direct = new S3DirectUploads(bucket, this.objects, signer)
    this.uploads = new S3Uploads(bucket, direct)
    this.direct = {
      begin: (key, parts, expiresInS) => this.attempt(() => direct.begin(bucketKeyOf(key), parts, expiresInS)),
      signAgain: (id, parts, expiresInS) => this.attempt(() => direct.signAgain(id, parts, expiresInS)),
      gather: (id, etags) => this.attempt(() => direct.gather(id, etags)),
      read: (id) => this.attempt(() => direct.read(id)),
    }
  }

  override beginUpload(key: string): Promise<BlobUploadId> {
    return this.attempt(() => this.uploads.begin(bucketKeyOf(key)))
  }

  override async append(
    id: BlobUploadId,
    offset: number,
    source: AsyncIterable<Uint8Array>,
    onDurable?: OnDurable,
  ): Promise<number> {
    if (this.isClosed) throw stopping()
    return this.uploads.append(id, offset, source, onDurable)
  }

  override complete(id: BlobUploadId, key: string): Promise<void> {
    return this.timed('complete', () => this.uploads.complete(id, bucketKeyOf(key)))
  }

  override abort(id: BlobUploadId): Promise<void> {
    return this.attempt(() => this.uploads.abort(id))
  }

  override listIdleUploads(sinceMs: number, findKnown?: FindKnownUploads): Promise<BlobUploadId[]> {
    return this.attempt(() => this.uploads.listIdle(sinceMs, findKnown))
  }

  override put(key: string, bytes: Uint8Array): Promise<void> {
    return this.timed('put', () => this.objects.put(key, bytes))
  }

  override stat(key: string): Promise<{ readonly bytes: number } | undefined> {
    return this.attempt(() => this.objects.stat(key))
  }

  override read(key: string, range?: ByteRange, bytes?: number): Promise<Readable | undefined> {
    return this.timed('open', () => this.objects.read(key, range, bytes))
  }

  override signRead(key: string, answer: SignedAnswer): Promise<string> {
    return this.attempt(() => this.objects.sign(key, answer))
  }

  override openLocal(key: string, giveUp?: AbortSignal): Promise<LocalFile | undefined> {
    return this.attempt(() => this.copies.make(() => this.objects.read(key), giveUp))
  }

  override remove(key: string): Promise<void> {
    return this.timed('remove', () => this.objects.remove(key))
  }

  override removeUnder(...segments: readonly string[]): Promise<void> {
    return this.timed('remove', () => this.objects.removeUnder(segments))
  }

  override probe(): Promise<void> {
    return this.attempt(async () => {
      const now = performance.now()
      if (now - this.writtenAtMs >= WRITE_PROBE_EVERY_MS) {
        await this.bucket.put(PROBE_KEY, [Buffer.from('probe')])
        this.writtenAtMs = now
      } else await this.bucket.getSmall(PROBE_KEY)
    })
  }

  override async close(): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    await this.uploads.close()
    this.bucket.connection.close()
    this.signer.destroy()
  }

  private timed<T>(operation: TimedOperation, act: () => Promise<T>): Promise<T> {
    return timedOperation(this.metrics, operation, () => this.attempt(act))
  }

  private async attempt<T>(act: () => Promise<T>): Promise<T> {
    if (this.isClosed) throw stopping()
    return withS3Errors(async () => act())
  }
}

/**
 * Opens the objects in a bucket, which is made where it is absent and may be.
 * @throws StoreOpenError
 */
export async function openS3Blobs(options: S3BlobsOptions): Promise<S3BlobStore> {
  const copies = new LocalCopies(options.directory, options.assertWritable)
  await copies.sweep().catch((cause: Error) => {
    throw new StoreOpenError(options.directory, cause.message.replace(/^blobs: /, ''), { cause })
  })
  const bucket = await openS3Bucket(options)
  const signer = signingClientOf({ ...options, endpoint: options.publicEndpoint ?? options.endpoint })
  const store = new S3BlobStore(bucket, signer, copies, options.metrics)
  try {
    await store.probe()
    return store
  } catch (cause) {
    await store.close()
    const place = `the S3 bucket ${options.bucket}`
    throw new StoreOpenError(place, (cause as Error).message.replace(/^blobs: /, ''), { cause })
  }
}

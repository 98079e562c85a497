import type { Readable } from 'node:stream'
import { GetObjectCommand, type GetObjectCommandOutput, type S3Client } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { segmentsOf } from './blob-path.js'
import type { ByteRange, SignedAnswer } from './blob-store.js'
import type { S3Bucket } from './s3-bucket.js'
import { isRefusedAs, orNoSuchKey } from './s3-errors.js'
import { objectKeyOf, prefixOf } from './s3-keys.js'
import { S3ReadStream } from './s3-read-stream.js'

/** What of an object is read. */
interface Reading {
  readonly range?: ByteRange | undefined
  /** That the object must have. */
  readonly bytes?: number | undefined
  /** The object's ETag. */
  readonly ifMatch?: string
}

/** Objects under the keys that s3-keys.ts gives them. */
export class S3Objects {
  /** @param signer of requests as users make them */
  constructor(
    private readonly bucket: S3Bucket,
    private readonly signer: S3Client,
  ) {}

  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.bucket.put(bucketKeyOf(key), [bytes])
  }

  async stat(key: string): Promise<{ readonly bytes: number } | undefined> {
    const found = await this.bucket.head(bucketKeyOf(key))
    return found && { bytes: found.bytes }
  }

  async read(key: string, range?: ByteRange, bytes?: number): Promise<Readable | undefined> {
    return this.readAt(bucketKeyOf(key), { range, bytes })
  }

  /**
   * @param key the bucket's
   * @returns undefined when it is not there, or another one than the ETag says
   * @throws RangeError the range reaches beyond it, or it has other bytes
   */
  async readAt(key: string, { range, bytes, ifMatch }: Reading): Promise<Readable | undefined> {
    if (range && (range.first < 0 || range.last < range.first)) throw beyond(range)
    const asked = {
      Bucket: this.bucket.name,
      Key: key,
      ...(range ? { Range: `bytes=${range.first}-${range.last}` } : {}),
      ...(ifMatch === undefined ? {} : { IfMatch: ifMatch }),
    }
    const answer = await this.ask(asked, range)
    const body = answer?.Body as Readable | undefined
    if (answer === undefined || body === undefined) return undefined
    const length = answer.ContentLength ?? 0
    const found = range ? totalOf(answer) : length
    const isOther = bytes !== undefined && found !== undefined && found !== bytes
    if (isOther || (range && length !== range.last - range.first + 1)) {
      body.destroy()
      throw isOther || !range ? new RangeError(`the object has ${found} bytes, not ${bytes}`) : beyond(range)
    }
    return new S3ReadStream(body, length)
  }

  sign(key: string, { expiresInS, contentType, contentDisposition }: SignedAnswer): Promise<string> {
    const asked = {
      Bucket: this.bucket.name,
      Key: bucketKeyOf(key),
      ResponseContentType: contentType,
      ResponseContentDisposition: contentDisposition,
    }
    const signingDate = this.bucket.connection.now()
    return getSignedUrl(this.signer, new GetObjectCommand(asked), { expiresIn: expiresInS, signingDate })
  }

  async remove(key: string): Promise<void> {
    await this.bucket.delete(bucketKeyOf(key))
  }

  async removeUnder(segments: readonly string[]): Promise<void> {
    const key = segments.join('/')
    if (segmentsOf(key).length !== segments.length) throw new RangeError('not the beginning of a key')
    await this.remove(key)
    for await (const page of this.bucket.list(prefixOf(segments)))
      await this.bucket.deleteAll(page.map((listed) => listed.key))
  }

  private async ask(
    asked: { readonly Bucket: string; readonly Key: string },
    range: ByteRange | undefined,
  ): Promise<GetObjectCommandOutput | undefined> {
    try {
      return await orNoSuchKey(
        this.bucket.connection.read((client, options) => client.send(new GetObjectCommand(asked), options)),
      )
    } catch (error) {
      if (range && isRefusedAs(error, 'InvalidRange')) throw beyond(range)
      if (isRefusedAs(error, 'PreconditionFailed')) return undefined
      throw error
    }
  }
}

/** Where the bucket has an object. @throws RangeError not a key */
export function bucketKeyOf(key: string): string {
  return objectKeyOf(segmentsOf(key))
}

/** Of an answer with a range; undefined: the server does not say. */
function totalOf({ ContentRange }: GetObjectCommandOutput): number | undefined {
  const total = /[/](\d+)$/.exec(ContentRange ?? '')?.[1]
  return total === undefined ? undefined : Number(total)
}

function beyond({ first, last }: ByteRange): RangeError {
  return new RangeError(`bytes ${first} to ${last} are not in the object`)
}

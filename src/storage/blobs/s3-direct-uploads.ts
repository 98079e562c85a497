import type { Readable } from 'node:stream'
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import type { BlobUploadId, DirectPart, SignedRequest } from './blob-store.js'
import { copySourceOf, type S3Bucket } from './s3-bucket.js'
import { completeBesideOthers } from './s3-completion.js'
import { isNoSuchKey, isRefusedAs } from './s3-errors.js'
import { wholeKeyOf } from './s3-keys.js'
import type { S3Objects } from './s3-objects.js'
import { UPLOAD_METADATA } from './s3-upload-place.js'
import { type Direct, loadMarker, saveMarker } from './s3-upload-state.js'
import { isUploadId, newUploadId, noSuchUpload } from './upload-id.js'

/** S3 copies five times as much in one request, but slow servers would not have done so in the time that a request has. */
const MOST_COPIED_BYTES = 1_073_741_824
const COPIED_PART_BYTES = 268_435_456
const MOST_REMEMBERED = 10_000
const CHECKSUM = 'x-amz-checksum-sha256'

type WholeDirect = Direct & { readonly gathered: NonNullable<Direct['gathered']> }

/**
 * Uploads that units send to S3 themselves, to a place beside all objects. The digest of what is sent is a signed header, so that S3
 * takes exactly those bytes; afterwards the server copies them to the object, if they are still those that were checked.
 */
export class S3DirectUploads {
  /** ETags of what was read of them: nothing else becomes their object. */
  private readonly readAs = new Map<BlobUploadId, string>()

  /**
   * @param signer of requests as units make them
   * @param mostCopiedBytes larger objects are copied in parts of `copiedPartBytes`
   */
  constructor(
    private readonly bucket: S3Bucket,
    private readonly objects: S3Objects,
    private readonly signer: S3Client,
    private readonly mostCopiedBytes = MOST_COPIED_BYTES,
    private readonly copiedPartBytes = COPIED_PART_BYTES,
  ) {}

  /** @param key the bucket's */
  async begin(
    key: string,
    parts: readonly DirectPart[],
    expiresInS: number,
  ): Promise<{ readonly id: BlobUploadId; readonly requests: readonly SignedRequest[] }> {
    const [first, ...more] = parts
    if (first === undefined) throw new RangeError('an upload has at least one part')
    const id = newUploadId()
    const direct: Direct = { parts: parts.map(({ bytes }) => bytes) }
    if (more.length > 0) direct.multipartId = await this.beginMultipart(id)
    await saveMarker(this.bucket, id, { key, direct })
    return { id, requests: await this.sign(id, direct, parts, expiresInS) }
  }

  async signAgain(
    id: BlobUploadId,
    parts: readonly DirectPart[],
    expiresInS: number,
  ): Promise<readonly SignedRequest[] | undefined> {
    const { direct } = await this.load(id)
    // Also when its parts were joined and a crash came before that was noted: nothing more could be sent to it.
    const isJoined = direct.multipartId && !(await this.bucket.listParts(wholeKeyOf(id), direct.multipartId))
    return direct.gathered || isJoined ? undefined : this.sign(id, direct, parts, expiresInS)
  }

  async gather(id: BlobUploadId, etags: readonly string[] = []): Promise<number | undefined> {
    const { key, direct } = await this.load(id)
    if (direct.gathered) return direct.gathered.bytes
    if (direct.multipartId && !(await this.joinParts(id, direct, direct.multipartId, etags))) return undefined
    const gathered = await this.note(id, key, direct)
    // Neither parts nor what they were joined to: the multipart upload was aborted by somebody else.
    if (gathered === undefined && direct.multipartId) throw noSuchUpload()
    return gathered?.bytes
  }

  async read(id: BlobUploadId): Promise<Readable> {
    const { key, direct } = await this.load(id)
    if (!direct.gathered) throw noSuchUpload()
    const stream = await this.readAt(id, direct.gathered.etag)
    if (stream) return stream
    // The unit sent it once more, and the server calls it otherwise now.
    const again = await this.note(id, key, direct)
    const second = again && (await this.readAt(id, again.etag))
    if (second === undefined) throw noSuchUpload()
    return second
  }

  /**
   * Copies what was gathered to its object.
   * @throws RangeError it was not gathered, or is not there as it was
   */
  async complete(id: BlobUploadId, { key, direct }: { readonly key: string; readonly direct: Direct }): Promise<void> {
    if (!isGathered(direct)) throw new RangeError('the upload was not gathered')
    const etag = this.readAs.get(id) ?? direct.gathered.etag
    if (etag !== direct.gathered.etag) throw new RangeError('it was gathered again after it was read')
    try {
      if (direct.gathered.bytes <= this.mostCopiedBytes) await this.copy(id, key, direct)
      else await this.copyInParts(id, key, direct)
    } catch (error) {
      if (isRefusedAs(error, 'PreconditionFailed'))
        throw new RangeError('other bytes came in the place of those gathered')
      if (!isNoSuchKey(error)) throw error
      // A try before may have come to its end.
      if ((await this.bucket.head(key))?.metadata[UPLOAD_METADATA] !== id) throw noSuchUpload()
    }
    this.readAs.delete(id)
  }

  /** Notes what is there as what was gathered. @returns undefined when it is not all of it */
  private async note(id: BlobUploadId, key: string, direct: Direct): Promise<Direct['gathered']> {
    const whole = await this.findWhole(id, direct)
    if (whole === undefined) return undefined
    const gathered = { etag: whole.etag, bytes: whole.bytes }
    await saveMarker(this.bucket, id, { key, direct: { ...direct, gathered } })
    return gathered
  }

  /** @returns what is there, once it is all that was announced */
  private async findWhole(id: BlobUploadId, { parts }: Direct) {
    const whole = await this.bucket.head(wholeKeyOf(id))
    return whole?.bytes === parts.reduce((sum, bytes) => sum + bytes, 0) ? whole : undefined
  }

  private async readAt(id: BlobUploadId, etag: string): Promise<Readable | undefined> {
    const stream = await this.objects.readAt(wholeKeyOf(id), { ifMatch: etag })
    if (this.readAs.size >= MOST_REMEMBERED) this.readAs.clear()
    if (stream) this.readAs.set(id, etag)
    return stream
  }

  private async load(id: BlobUploadId): Promise<{ readonly key: string; readonly direct: Direct }> {
    const marker = isUploadId(id) ? await loadMarker(this.bucket, id) : undefined
    if (marker?.direct === undefined) throw noSuchUpload()
    return { key: marker.key, direct: marker.direct }
  }

  /** @returns false when not all parts are there as they were announced and as their ETags say */
  private async joinParts(
    id: BlobUploadId,
    direct: Direct,
    multipartId: string,
    etags: readonly string[],
  ): Promise<boolean> {
    const { parts } = direct
    const listed = await this.bucket.listParts(wholeKeyOf(id), multipartId)
    // Joined by a try before.
    if (listed === undefined) return true
    const isRight = (bytes: number, index: number) => {
      const part = listed.find(({ number }) => number === index + 1)
      return part?.bytes === bytes && bare(part.etag) === bare(etags[index] ?? '')
    }
    if (!parts.every(isRight)) return false
    const Parts = listed
      .slice(0, parts.length)
      .map(({ number, etag, sha256 }) => ({ PartNumber: number, ETag: etag, ChecksumSHA256: sha256 }))
    const at = { Bucket: this.bucket.name, Key: wholeKeyOf(id), UploadId: multipartId }
    const asked = { ...at, MultipartUpload: { Parts } }
    const send = () =>
      this.bucket.connection.work((client, options) => client.send(new CompleteMultipartUploadCommand(asked), options))
    await completeBesideOthers(send, async () => (await this.findWhole(id, direct)) !== undefined)
    return true
  }

  private async copy(id: BlobUploadId, Key: string, { gathered }: WholeDirect): Promise<void> {
    const asked = {
      Bucket: this.bucket.name,
      Key,
      ...this.sourceOf(id, gathered.etag),
      MetadataDirective: 'REPLACE' as const,
      Metadata: { [UPLOAD_METADATA]: id },
    }
    await this.bucket.connection.work((client, options) => client.send(new CopyObjectCommand(asked), options))
  }

  private async copyInParts(id: BlobUploadId, Key: string, { gathered }: WholeDirect): Promise<void> {
    const at = { Bucket: this.bucket.name, Key }
    const { connection } = this.bucket
    const asked = { ...at, Metadata: { [UPLOAD_METADATA]: id } }
    const { UploadId = '' } = await connection.ask((client, options) =>
      client.send(new CreateMultipartUploadCommand(asked), options),
    )
    try {
      const Parts: { PartNumber: number; ETag: string | undefined }[] = []
      for (let first = 0; first < gathered.bytes; first += this.copiedPartBytes) {
        const last = Math.min(first + this.copiedPartBytes, gathered.bytes) - 1
        const part = { ...at, UploadId, PartNumber: Parts.length + 1, CopySourceRange: `bytes=${first}-${last}` }
        const { CopyPartResult } = await connection.work((client, options) =>
          client.send(new UploadPartCopyCommand({ ...part, ...this.sourceOf(id, gathered.etag) }), options),
        )
        Parts.push({ PartNumber: part.PartNumber, ETag: CopyPartResult?.ETag })
      }
      const whole = { ...at, UploadId, MultipartUpload: { Parts } }
      await connection.work((client, options) => client.send(new CompleteMultipartUploadCommand(whole), options))
    } catch (error) {
      // What this leaves is swept.
      await this.bucket.abortMultipart(Key, UploadId).catch(() => undefined)
      throw error
    }
  }

  private sourceOf(id: BlobUploadId, etag: string) {
    return { CopySource: copySourceOf(this.bucket.name, wholeKeyOf(id)), CopySourceIfMatch: etag }
  }

  private async beginMultipart(id: BlobUploadId): Promise<string> {
    const asked = { Bucket: this.bucket.name, Key: wholeKeyOf(id), ChecksumAlgorithm: 'SHA256' as const }
    const { UploadId = '' } = await this.bucket.connection.ask((client, options) =>
      client.send(new CreateMultipartUploadCommand(asked), options),
    )
    return UploadId
  }

  private async sign(
    id: BlobUploadId,
    { multipartId }: Direct,
    parts: readonly DirectPart[],
    expiresInS: number,
  ): Promise<SignedRequest[]> {
    const requests: SignedRequest[] = []
    const options = { ...signing(expiresInS), signingDate: this.bucket.connection.now() }
    for (const [index, part] of parts.entries()) {
      const asked = { Bucket: this.bucket.name, Key: wholeKeyOf(id), ...signedOf(part) }
      const url =
        multipartId === undefined
          ? await getSignedUrl(this.signer, new PutObjectCommand(asked), options)
          : await getSignedUrl(
              this.signer,
              new UploadPartCommand({ ...asked, UploadId: multipartId, PartNumber: index + 1 }),
              options,
            )
      requests.push(requestOf(part, url))
    }
    return requests
  }
}

function signedOf({ bytes, sha256 }: DirectPart) {
  return { ContentLength: bytes, ChecksumSHA256: base64Of(sha256) }
}

/** The digest stays a header: as a part of the address no server checks it. */
function signing(expiresIn: number) {
  return {
    expiresIn,
    unhoistableHeaders: new Set([CHECKSUM]),
    signableHeaders: new Set(['host', 'content-length', CHECKSUM]),
  }
}

function requestOf({ bytes, sha256 }: DirectPart, url: string): SignedRequest {
  const headers = { 'content-length': String(bytes), [CHECKSUM]: base64Of(sha256) }
  return { method: 'PUT', url, headers, bytes }
}

function isGathered(direct: Direct): direct is WholeDirect {
  return direct.gathered !== undefined
}

/** Units may give an ETag back without its quotes. */
function bare(etag: string): string {
  return etag.replaceAll('"', '')
}

function base64Of(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64')
}

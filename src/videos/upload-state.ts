import { createSHA256 } from 'hash-wasm'
import { MEDIA_TYPES, type MediaType } from '../model/video.js'
import { MediaSniffer } from './media-sniffer.js'

type Hasher = Awaited<ReturnType<typeof createSHA256>>

/** Bytes of a saved SHA-256: its build, its registers and the block that is not full yet. */
const HASH_BYTES = 116

/**
 * What must be known of the first bytes of a resumable upload in order to go on with the next: their SHA-256 and what the file is.
 * It can be saved and loaded, so that nothing is ever read again.
 */
export class UploadState {
  private constructor(
    private readonly hasher: Hasher,
    private readonly sniffer: MediaSniffer,
  ) {}

  /** Of no bytes. */
  static async begin(): Promise<UploadState> {
    return new UploadState((await createSHA256()).init(), new MediaSniffer())
  }

  /** @returns undefined: saved by a version that this one does not understand; the upload must begin anew */
  static async load(saved: string): Promise<UploadState | undefined> {
    const bytes = Buffer.from(saved, 'base64')
    const mediaType: MediaType | undefined = MEDIA_TYPES[(bytes[0] ?? 0) - 1]
    const head = bytes.subarray(1 + HASH_BYTES)
    try {
      const hasher = (await createSHA256()).load(bytes.subarray(1, 1 + HASH_BYTES))
      return new UploadState(hasher, new MediaSniffer({ mediaType, head }))
    } catch {
      return undefined
    }
  }

  /** Base64: one byte for the type (0: not known yet), the state of the hash, the first bytes while the type is not known. */
  save(): string {
    const { mediaType, head } = this.sniffer
    const type = mediaType === undefined ? 0 : MEDIA_TYPES.indexOf(mediaType) + 1
    return Buffer.concat([Buffer.of(type), this.hasher.save(), head]).toString('base64')
  }

  /** @throws AppError `unsupported_media` */
  async take(chunk: Uint8Array): Promise<void> {
    await this.sniffer.take(chunk)
    this.hasher.update(chunk)
  }

  /** The file has ended; the state cannot be used after this. @throws AppError `unsupported_media` */
  async end(): Promise<{ readonly mediaType: MediaType; readonly sha256: string }> {
    return { mediaType: await this.sniffer.end(), sha256: this.hasher.digest('hex') }
  }
}

import { AppError } from '../model/app-error.js'
import type { MediaType } from '../model/video.js'
import { HEAD_BYTES, mediaTypeOf } from './media-type.js'

const NOTHING = Buffer.alloc(0)

/** Tells from a file's first bytes what it is, as soon as they are enough, also when they come in many pieces. */
export class MediaSniffer {
  private type: MediaType | undefined
  private first: Buffer

  /** @param seen where another one stopped */
  constructor(seen: { readonly mediaType?: MediaType | undefined; readonly head?: Uint8Array } = {}) {
    this.type = seen.mediaType
    this.first = Buffer.from(seen.head ?? NOTHING)
  }

  /** undefined: not known yet. */
  get mediaType(): MediaType | undefined {
    return this.type
  }

  /** The bytes so far, while the type is not known; at most {@link HEAD_BYTES}. */
  get head(): Uint8Array {
    return this.first
  }

  /** @throws AppError `unsupported_media` once it is clear that it is none of ours */
  async take(chunk: Uint8Array): Promise<void> {
    if (this.type !== undefined) return
    this.first = Buffer.concat([this.first, chunk.subarray(0, HEAD_BYTES - this.first.length)])
    await this.judge(false)
  }

  /** The file has ended. @throws AppError `unsupported_media` also for an empty one */
  async end(): Promise<MediaType> {
    if (this.type === undefined) await this.judge(true)
    if (this.type === undefined) throw refusal()
    return this.type
  }

  private async judge(isAll: boolean): Promise<void> {
    const type = await mediaTypeOf(this.first, isAll)
    if (type === null) throw refusal()
    if (type === undefined) return
    this.type = type
    this.first = NOTHING
  }
}

function refusal(): AppError {
  return new AppError('unsupported_media', 'By their own bytes these are neither a video nor a JPEG picture')
}

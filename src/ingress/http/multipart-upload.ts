import { createHash, type Hash } from 'node:crypto'
import { type EventEmitter, once } from 'node:events'
import { Busboy, type BusboyFileStream } from '@fastify/busboy'
import type { FastifyRequest } from 'fastify'
import { AppError } from '../../model/app-error.js'
import { bytesOf, contentTypeOf } from '../../web/streamed-body.js'
import { sha256Of } from './content-digest.js'

const FILE = 'file'
const RECORDED_AT = 'recordedAt'
const LIMITS = { files: 2, fields: 20, parts: 22, fieldSize: 1000, headerPairs: 50, headerSize: 16_384 }

/** The file of a form, which begins to come in. */
export interface MultipartFile {
  /** As the form has it; undefined: it has none. */
  readonly fileName: string | undefined
  /** Of a `Content-Digest` beside the name, lower-case hex. */
  readonly sha256: string | undefined
}

type Parser = InstanceType<typeof Busboy>
type PartHeaders = Readonly<Record<string, string[] | undefined>>

interface FilePart extends MultipartFile {
  readonly stream: BusboyFileStream
}

/** A `multipart/form-data` body with one file. Nothing of it is read before {@link open}. */
export class MultipartUpload {
  /**
   * The file's bytes, ending when the whole form has come to its end.
   * @throws AppError `invalid_request` when the form breaks off or holds what it must not; `digest_mismatch` for the whole form
   */
  readonly bytes: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => this.readFile() }
  private readonly parser: Parser
  private readonly left = new AbortController()
  /** Of the whole form, if its digest was given. */
  private readonly hash: Hash | undefined
  private readonly sha256: string | undefined
  private time: string | null = null
  private partHeaders: PartHeaders = {}
  private opened: Promise<FilePart> | undefined
  /** Resolves when the form has come to its end. */
  private whole: Promise<void> = Promise.resolve()
  private found: FilePart | undefined
  private refusal: AppError | undefined

  /** @throws AppError `unsupported_media_type`; `invalid_request` a malformed digest */
  constructor(private readonly request: FastifyRequest) {
    this.parser = parserOf(contentTypeOf(request))
    this.sha256 = sha256Of(request.headers['content-digest'])
    this.hash = this.sha256 === undefined ? undefined : createHash('sha256')
    this.parser.on('error', (error) => this.refuse('the form is broken', error))
    this.parser.on('field', (field, value, _isNameCut, isValueCut) => this.takeField(field, value, isValueCut))
    for (const limit of ['partsLimit', 'filesLimit', 'fieldsLimit'] as const) {
      this.parser.once(limit, () => this.refuse('there are too many parts'))
    }
    watchHeaders(this.parser, (headers) => {
      this.partHeaders = headers
    })
  }

  /** Of the form's field; null: there was none so far. */
  get recordedAt(): string | null {
    return this.time
  }

  /**
   * Reads up to where the file begins.
   * @throws AppError `invalid_request` no file in field `file`, not a form, or a malformed digest
   */
  async open(): Promise<MultipartFile> {
    return this.opening()
  }

  /** Nobody wants the rest: an answer follows. */
  leave(): void {
    this.left.abort()
  }

  private opening(): Promise<FilePart> {
    this.opened ??= this.begin()
    return this.opened
  }

  private begin(): Promise<FilePart> {
    const found = new Promise<FilePart>((resolve, reject) => {
      this.parser.on('file', (field, stream, fileName) => {
        // A stream that is ended with an error and has no listener ends the process.
        stream.on('error', () => undefined)
        if (!this.isTheFile(field)) {
          stream.resume()
          return
        }
        try {
          this.found = { stream, fileName, sha256: sha256Of(this.partHeaders['content-digest']) }
          resolve(this.found)
        } catch (error) {
          reject(error)
        }
      })
    })
    this.whole = this.feed(bytesOf(this.request))
    const withoutFile = this.whole.then(() => {
      throw malformed(`there is no file in the field ${FILE}`)
    })
    return Promise.race([found, withoutFile])
  }

  private async *readFile(): AsyncGenerator<Uint8Array, void, undefined> {
    const { stream } = await this.opening()
    try {
      yield* stream as AsyncIterable<Buffer>
      await this.whole
    } catch (error) {
      // The parser ends the file in words of its own when the form ends in the middle of it.
      throw error instanceof AppError ? error : malformed('it ends before the file does', error)
    } finally {
      this.leave()
    }
  }

  private isTheFile(field: string | undefined): boolean {
    if (field !== FILE) this.refuse(`the file must be in the field ${FILE}`)
    else if (this.found !== undefined) this.refuse('there must be one file')
    return this.refusal === undefined
  }

  private takeField(field: string, value: string, isCut: boolean): void {
    if (field === FILE) this.refuse(`the field ${FILE} must be a file, with a name`)
    if (field !== RECORDED_AT) return
    if (isCut) this.refuse(`${RECORDED_AT} is too long`)
    else this.time = value
  }

  private checkDigest(): void {
    const sha256 = this.hash?.digest('hex')
    if (sha256 !== this.sha256) throw new AppError('digest_mismatch', `The form has the SHA-256 ${sha256}`)
  }

  private refuse(words: string, cause?: unknown): void {
    this.refusal ??= malformed(words, cause)
  }

  private async feed(bytes: AsyncIterable<Buffer>): Promise<void> {
    const { parser } = this
    const { signal } = this.left
    try {
      for await (const chunk of bytes) {
        this.hash?.update(chunk)
        if (!parser.write(chunk)) await once(parser, 'drain', { signal })
        if (this.refusal !== undefined) throw this.refusal
        if (signal.aborted) return
      }
      const finished = once(parser, 'finish', { signal })
      parser.end()
      await finished
      if (this.refusal !== undefined) throw this.refusal
      this.checkDigest()
    } catch (error) {
      if (signal.aborted) return
      const reason = this.refusal ?? (error instanceof AppError ? error : malformed('the form is broken', error))
      this.found?.stream.destroy(reason)
      throw reason
    }
  }
}

/** The parser hands headers of parts on to nobody, but what it is built on does. */
function watchHeaders(parser: Parser, onHeaders: (headers: PartHeaders) => void): void {
  const { _parser: form } = parser as unknown as { readonly _parser: { readonly parser: EventEmitter } }
  // Before the form's own listeners, so that they are known when it tells of the part.
  form.parser.prependListener('part', (part: EventEmitter) => part.prependListener('header', onHeaders))
}

/** @throws AppError `unsupported_media_type` */
function parserOf(contentType: string | undefined): Parser {
  if (!/^multipart\/form-data *;/i.test(contentType ?? '')) {
    throw new AppError('unsupported_media_type', 'Send multipart/form-data with a boundary')
  }
  try {
    // Paths in names are kept, for names with slashes to be refused as everywhere.
    return new Busboy({ headers: { 'content-type': contentType ?? '' }, preservePath: true, limits: LIMITS })
  } catch (cause) {
    throw new AppError('unsupported_media_type', 'Send multipart/form-data with a boundary', { cause })
  }
}

function malformed(words: string, cause?: unknown): AppError {
  return new AppError('invalid_request', `Not a form as it must be: ${words}`, { cause })
}

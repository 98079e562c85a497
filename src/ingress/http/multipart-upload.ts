import { once } from 'node:events'
import { Busboy, type BusboyFileStream } from '@fastify/busboy'
import type { FastifyRequest } from 'fastify'
import { AppError } from '../../model/app-error.js'
import { bytesOf, contentTypeOf } from '../../web/streamed-body.js'

const FILE = 'file'
const RECORDED_AT = 'recordedAt'
const LIMITS = { files: 2, fields: 20, parts: 22, fieldSize: 1000, headerPairs: 50, headerSize: 16_384 }

/** The file of a form, which begins to come in. */
export interface MultipartUpload {
  /** As the form has it; undefined: it has none. */
  readonly fileName: string | undefined
  /** Of the form's field; null: there was none before the file. */
  readonly recordedAt: string | null
  /**
   * The file's bytes, ending when the whole form has come to its end.
   * @throws AppError `invalid_request` when the form breaks off or holds what it must not
   */
  readonly bytes: AsyncIterable<Uint8Array>
}

type Parser = InstanceType<typeof Busboy>

interface FilePart {
  readonly stream: BusboyFileStream
  readonly fileName: string | undefined
}

/**
 * Reads a `multipart/form-data` body up to where its file begins.
 * @throws AppError `unsupported_media_type` | `invalid_request` no file in field `file`, or not a form
 */
export async function openMultipart(request: FastifyRequest): Promise<MultipartUpload> {
  const form = new UploadForm(request)
  const { fileName, stream } = await form.file
  return { fileName, recordedAt: form.recordedAt, bytes: form.bytesOf(stream) }
}

class UploadForm {
  recordedAt: string | null = null
  /** Rejects when the form ends without one. */
  readonly file: Promise<FilePart>
  private readonly parser: Parser
  /** Resolves when the form has come to its end. */
  private readonly whole: Promise<void>
  private readonly left = new AbortController()
  private found: FilePart | undefined
  private refusal: AppError | undefined

  constructor(request: FastifyRequest) {
    this.parser = parserOf(contentTypeOf(request))
    this.parser.on('error', (error) => this.refuse('the form is broken', error))
    this.parser.on('field', (field, value, _isNameCut, isValueCut) => this.takeField(field, value, isValueCut))
    for (const limit of ['partsLimit', 'filesLimit', 'fieldsLimit'] as const) {
      this.parser.once(limit, () => this.refuse('there are too many parts'))
    }
    const found = new Promise<FilePart>((resolve) => {
      this.parser.on('file', (field, stream, fileName) => {
        // A stream that is ended with an error and has no listener ends the process.
        stream.on('error', () => undefined)
        if (this.isTheFile(field)) {
          this.found = { stream, fileName }
          resolve(this.found)
        } else stream.resume()
      })
    })
    this.whole = this.feed(bytesOf(request))
    const withoutFile = this.whole.then(() => {
      throw malformed(`there is no file in the field ${FILE}`)
    })
    this.file = Promise.race([found, withoutFile])
  }

  async *bytesOf(stream: BusboyFileStream): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* stream as AsyncIterable<Buffer>
      await this.whole
    } finally {
      // Nobody wants the rest: an answer follows.
      this.left.abort()
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
    else if (this.found !== undefined) this.refuse(`${RECORDED_AT} must come before the file`)
    else this.recordedAt = value
  }

  private refuse(words: string, cause?: unknown): void {
    this.refusal ??= malformed(words, cause)
  }

  private async feed(bytes: AsyncIterable<Buffer>): Promise<void> {
    const { parser } = this
    const { signal } = this.left
    try {
      for await (const chunk of bytes) {
        if (!parser.write(chunk)) await once(parser, 'drain', { signal })
        if (this.refusal !== undefined) throw this.refusal
        if (signal.aborted) return
      }
      const finished = once(parser, 'finish', { signal })
      parser.end()
      await finished
      if (this.refusal !== undefined) throw this.refusal
    } catch (error) {
      if (signal.aborted) return
      const reason = this.refusal ?? (error instanceof AppError ? error : malformed('the form is broken', error))
      this.found?.stream.destroy(reason)
      throw reason
    }
  }
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

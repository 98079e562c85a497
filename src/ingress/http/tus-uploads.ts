import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { Server } from '@tus/server'
import { AppError } from '../../model/app-error.js'
import { type ResumableUpload, ResumableUploads } from '../../videos/resumable-uploads.js'
import { UploadFlow } from '../../videos/upload-flow.js'
import { TusDataStore, type TusSubject } from './tus-data-store.js'
import { TusLocker } from './tus-locker.js'
import { refusalOfStatus, tusRefusalOf } from './tus-refusals.js'
import { TUS_PATH, TUS_VERSION } from './tus-version.js'

/** Headers of requests that mean something to tus; what proxies add is not for it to judge. */
const REQUEST_HEADERS = [
  'content-length',
  'content-type',
  'tus-resumable',
  'upload-concat',
  'upload-defer-length',
  'upload-length',
  'upload-metadata',
  'upload-offset',
]
/** Headers of answers that are taken over; those for other origins are set for all routes alike. */
const ANSWER_HEADERS = [
  'cache-control',
  'location',
  'tus-extension',
  'tus-max-size',
  'tus-version',
  'upload-defer-length',
  'upload-expires',
  'upload-length',
  'upload-metadata',
  'upload-offset',
]
export interface TusRequest extends TusSubject {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

export interface TusAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
}

/** Resumable uploads by tus 1.0. The protocol is the library's; what becomes of bytes is the videos' room's. */
@Injectable()
export class TusUploads {
  constructor(
    private readonly uploads: ResumableUploads,
    private readonly flow: UploadFlow,
  ) {}

  /** @throws AppError for every refusal */
  async handle(request: TusRequest): Promise<TusAnswer> {
    if (request.method !== 'OPTIONS' && request.headers['tus-resumable'] !== TUS_VERSION) {
      throw new AppError('unsupported_version', `Send Tus-Resumable: ${TUS_VERSION}`)
    }
    const response = await this.answer(request)
    const { status, headers } = response
    if (status >= 400) throw refusalOfStatus(status, await response.text())
    const kept = ANSWER_HEADERS.flatMap((name) => {
      const value = headers.get(name)
      return value === null ? [] : [[name, value]]
    })
    return { status, headers: Object.fromEntries(kept) }
  }

  private async answer(request: TusRequest): Promise<Response> {
    const { method, path, headers, body } = request
    let upload: ResumableUpload | undefined
    const subject: TusSubject = {
      ...request,
      onUpload: (known) => {
        upload = known
        request.onUpload(known)
      },
    }
    // One for each request: the library's stores are not told who asks.
    const server = new Server({
      path: `/${TUS_PATH}`,
      relativeLocation: true,
      maxSize: this.flow.maxBytes,
      namingFunction: () => randomUUID(),
      datastore: new TusDataStore(this.uploads, subject),
      locker: new TusLocker(this.uploads.locks, () => body.cut()),
      onResponseError: (_, error) => {
        throw error
      },
    })
    try {
      return await server.handleWeb(new Request(`http://localhost${path}`, { method, headers: pickedOf(headers) }))
    } catch (error) {
      throw tusRefusalOf(error, upload)
    }
  }
}

function pickedOf(headers: TusRequest['headers']): Record<string, string> {
  const picked = REQUEST_HEADERS.flatMap((name) => {
    const value = [headers[name]].flat()[0]
    return value === undefined ? [] : [[name, value]]
  })
  return Object.fromEntries(picked)
}

import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { Server } from '@tus/server'
import { AppError } from '../../model/app-error.js'
import { type ResumableUpload, ResumableUploads } from '../../videos/resumable-uploads.js'
import { UploadFlow } from '../../videos/upload-flow.js'
import { UploadsUnderWay } from '../../videos/uploads-under-way.js'
import { TusDataStore, type TusSubject } from './tus-data-store.js'
import { TusLocker } from './tus-locker.js'
import { refusalOfStatus, tusRefusalOf } from './tus-refusals.js'
import { TUS_BYTES, TUS_PATH, TUS_VERSION } from './tus-version.js'

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
    private readonly underWay: UploadsUnderWay,
  ) {}

  /** @throws AppError for every refusal */
  async handle(request: TusRequest): Promise<TusAnswer> {
    let upload: ResumableUpload | undefined
    const store = new TusDataStore(this.uploads, {
      ...request,
      onUpload: (known) => {
        upload = known
        request.onUpload(known)
      },
    })
    try {
      assertSpeaksTus(request)
      return await this.answer(request, store)
    } catch (error) {
      const refusal = tusRefusalOf(error, upload)
      // What took the bytes counts what becomes of them.
      if (refusal instanceof AppError && bringsBytes(request) && !store.hasTakenBytes) this.underWay.countRefused('tus')
      throw refusal
    }
  }

  private async answer({ method, path, headers, body }: TusRequest, datastore: TusDataStore): Promise<TusAnswer> {
    // One for each request: the library's stores are not told who asks.
    const server = new Server({
      path: `/${TUS_PATH}`,
      relativeLocation: true,
      maxSize: this.flow.maxBytes,
      namingFunction: () => randomUUID(),
      datastore,
      locker: new TusLocker(this.uploads.locks, () => body.cut()),
      onResponseError: (_, error) => {
        throw error
      },
    })
    const request = new Request(`http://localhost${path}`, { method, headers: pickedOf(headers) })
    const response = await server.handleWeb(request)
    if (response.status >= 400) throw refusalOfStatus(response.status, await response.text())
    const kept = ANSWER_HEADERS.flatMap((name) => {
      const value = response.headers.get(name)
      return value === null ? [] : [[name, value]]
    })
    return { status: response.status, headers: Object.fromEntries(kept) }
  }
}

/** @throws AppError `unsupported_version` | `unsupported_media_type` */
function assertSpeaksTus({ method, headers }: TusRequest): void {
  if (method !== 'OPTIONS' && headers['tus-resumable'] !== TUS_VERSION) {
    throw new AppError('unsupported_version', `Send Tus-Resumable: ${TUS_VERSION}`)
  }
  if (method === 'PATCH' && headers['content-type'] !== TUS_BYTES) {
    throw new AppError('unsupported_media_type', `Send ${TUS_BYTES}`)
  }
}

function bringsBytes({ method, headers }: TusRequest): boolean {
  return method === 'PATCH' || (method === 'POST' && headers['content-type'] === TUS_BYTES)
}

function pickedOf(headers: TusRequest['headers']): Record<string, string> {
  const picked = REQUEST_HEADERS.flatMap((name) => {
    const value = [headers[name]].flat()[0]
    return value === undefined ? [] : [[name, value]]
  })
  return Object.fromEntries(picked)
}

import { createReadStream } from 'node:fs'
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import type { ClipFile, ClipUploads, Refusal, UploadOutcome } from '../unit/unit-transport.js'
import type { DeviceToken } from './device-token.js'
import { BASE_PATH, reasonOf, refusalOf, type ServerApi } from './server-api.js'

const Stored = z.object({ id: z.string() })
/** A connection on which nothing has moved for so long is given up. */
const IDLE_TIMEOUT_MS = 30_000
/** Statuses that another attempt may change; whatever else refuses an upload refuses it for ever. */
const PASSING = new Set([0, 401, 408, 425, 429])

/** JSON units' way for files: `PUT /videos/{fileName}`, streamed, with the digest of its bytes. */
export class HttpUploads implements ClipUploads {
  constructor(
    private readonly api: ServerApi,
    private readonly tokens: DeviceToken,
  ) {}

  /** A token from before that is refused is replaced at once. */
  async upload(clip: ClipFile, signal: AbortSignal): Promise<UploadOutcome> {
    const { token, isFresh, refusal } = await this.tokens.get(signal)
    if (token === undefined) return { refusal, isLasting: false }
    const answer = await this.put(clip, token.value, signal)
    if (answer.status === 401) {
      this.tokens.forget()
      if (!isFresh) return this.upload(clip, signal)
    }
    if (answer.refusal === undefined) return { videoId: answer.videoId }
    const isLasting = answer.status < 500 && !PASSING.has(answer.status)
    return { refusal: answer.refusal, isLasting }
  }

  private async put(clip: ClipFile, token: string, signal: AbortSignal) {
    try {
      const response = await this.send(clip, token, signal)
      const status = response.statusCode ?? 0
      const body = await text(response)
      const isStored = status === 200 || status === 201
      if (!isStored) return { status, refusal: refusalOf(status, response.headers['retry-after'], body) }
      return { status, videoId: Stored.parse(JSON.parse(body)).id }
    } catch (error) {
      const refusal: Refusal = { code: 'unreachable', message: `${this.api.origin}: ${reasonOf(error)}` }
      return { status: 0, refusal }
    }
  }

  /** The answer counts as soon as it is there: a server refuses before it has read the whole body. */
  private send(clip: ClipFile, token: string, signal: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const url = new URL(`${BASE_PATH}/videos/${encodeURIComponent(clip.fileName)}`, this.api.origin)
      const open = url.protocol === 'https:' ? httpsRequest : httpRequest
      const request = open(url, { method: 'PUT', headers: headersOf(clip, token), signal })
      request.setTimeout(IDLE_TIMEOUT_MS, () => request.destroy(new Error('the connection stands still')))
      request.once('response', resolve)
      request.on('error', reject) // also when the whole body has left; of no effect after an answer
      sendBody(request, clip.path).catch(reject)
    })
  }
}

function sendBody(request: ClientRequest, path: string): Promise<void> {
  return pipeline(createReadStream(path), request)
}

function headersOf(clip: ClipFile, token: string): Record<string, string> {
  return {
    authorization: `Bearer ${token}`,
    'content-type': 'video/mp4',
    'content-length': String(clip.bytes),
    'content-digest': `sha-256=:${clip.sha256.toString('base64')}:`,
    'x-recorded-at': new Date(clip.recordedAtMs).toISOString(),
  }
}

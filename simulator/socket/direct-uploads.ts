import { z } from 'zod'
import type { ClipFile, ClipUploads, UploadOutcome } from '../unit/unit-transport.js'
import type { DeviceToken } from './device-token.js'
import { BASE_PATH, type ServerApi } from './server-api.js'
import { ask, askWithToken, isLastingStatus, type UploadAnswer } from './upload-request.js'

/** What is larger would go in several parts. */
const ONE_REQUEST_BYTES = 67_108_864
const UNAVAILABLE = 'direct_upload_unavailable'
/** What was sent has not arrived, is there no more, or the server has another store now: the next attempt begins anew. */
const BEGUN_ANEW = new Set(['upload_incomplete', 'not_found', UNAVAILABLE])

const Stored = z.object({ id: z.string() })
const Begun = z.object({
  id: z.string(),
  method: z.literal('PUT'),
  url: z.url({ protocol: /^https?$/ }),
  headers: z.record(z.string(), z.string()),
})

/**
 * JSON units' way for files where the server keeps them in S3: announced, sent to the store itself, completed. Nothing need be kept
 * between attempts, since a file that is announced again is the same upload. Clips of more than one part, and all of them where the
 * server offers no such way, go as `otherwise` does.
 */
export class DirectUploads implements ClipUploads {
  private isOffered = true

  constructor(
    private readonly api: ServerApi,
    private readonly tokens: DeviceToken,
    private readonly otherwise: ClipUploads,
  ) {}

  async upload(clip: ClipFile, signal: AbortSignal): Promise<UploadOutcome> {
    if (!this.isOffered || clip.bytes > ONE_REQUEST_BYTES) return this.otherwise.upload(clip, signal)
    const announced = await this.post('direct', announcementOf(clip), signal)
    if (announced.refusal?.code === UNAVAILABLE) {
      this.isOffered = false
      return this.otherwise.upload(clip, signal)
    }
    if (announced.refusal !== undefined) return refused(announced)
    // The server has the file already: it answers with the video.
    if (announced.status === 200) return storedAs(announced)
    const begun = Begun.safeParse(parsed(announced.text)).data
    if (begun === undefined) return badAnswer('no address to send the file to')
    return (await this.send(clip, begun, signal)) ?? (await this.complete(begun.id, signal))
  }

  /** To the store, which is not to be given the token. @returns undefined: it has the file */
  private async send(clip: ClipFile, { url, headers, method }: z.infer<typeof Begun>, signal: AbortSignal) {
    const length = { 'content-length': String(clip.bytes) }
    const request = {
      method,
      url: new URL(url),
      headers: { ...headers, ...length },
      file: { path: clip.path, offset: 0 },
    }
    const { refusal } = await ask(request, undefined, signal)
    // Whatever the store says, it says of this request, and the next attempt gets another.
    return refusal === undefined ? undefined : { refusal, isLasting: false }
  }

  private async complete(id: string, signal: AbortSignal): Promise<UploadOutcome> {
    const answer = await this.post(`${encodeURIComponent(id)}/complete`, {}, signal)
    return answer.refusal === undefined ? storedAs(answer) : refused(answer)
  }

  private post(route: string, json: object, signal: AbortSignal): Promise<UploadAnswer> {
    const body = JSON.stringify(json)
    const url = new URL(`${BASE_PATH}/videos/${route}`, this.api.origin)
    const headers = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }
    return askWithToken(this.tokens, { method: 'POST', url, headers, body }, signal)
  }
}

function announcementOf({ bytes, fileName, recordedAtMs, sha256 }: ClipFile): object {
  return { fileName, bytes, sha256: sha256.toString('hex'), recordedAt: new Date(recordedAtMs).toISOString() }
}

function storedAs({ text }: UploadAnswer): UploadOutcome {
  const stored = Stored.safeParse(parsed(text)).data
  return stored === undefined ? badAnswer('the answer names no video') : { videoId: stored.id }
}

function refused({ status, refusal = { code: 'bad_answer', message: '' } }: UploadAnswer): UploadOutcome {
  return { refusal, isLasting: !BEGUN_ANEW.has(refusal.code ?? '') && isLastingStatus(status) }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function badAnswer(message: string): UploadOutcome {
  return { refusal: { code: 'bad_answer', message }, isLasting: false }
}

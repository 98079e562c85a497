import { createReadStream } from 'node:fs'
import { type ClientRequest, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import type { Refusal } from '../unit/unit-transport.js'
import type { DeviceToken } from './device-token.js'
import { reasonOf, refusalOf } from './server-api.js'

/** One request of an upload. */
export interface UploadRequest {
  readonly method: 'PUT' | 'POST' | 'PATCH' | 'HEAD'
  readonly url: URL
  /** Without the token. */
  readonly headers: Readonly<Record<string, string>>
  /** What is sent, from the offset on; without either, nothing is. */
  readonly file?: { readonly path: string; readonly offset: number }
  readonly body?: string
}

/** Status 0 and a refusal `unreachable` where there was no answer. */
export interface UploadAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** Absent for a 2xx. */
  readonly refusal?: Refusal
}

/** A connection on which nothing has moved for so long is given up. */
const IDLE_TIMEOUT_MS = 30_000
/** Statuses that another attempt may change; whatever else refuses an upload refuses it for ever. */
const PASSING = new Set([0, 401, 408, 423, 425, 429])

/** Whether every repetition would be refused like this. */
export function isLastingStatus(status: number): boolean {
  return status < 500 && !PASSING.has(status)
}

/** Sends it with the unit's token; one from before that is refused is replaced at once. Never rejects. */
export async function askWithToken(
  tokens: DeviceToken,
  request: UploadRequest,
  signal: AbortSignal,
): Promise<UploadAnswer> {
  const { token, isFresh, refusal } = await tokens.get(signal)
  if (token === undefined) return { status: 0, headers: {}, text: '', refusal }
  const answer = await ask(request, token.value, signal)
  if (answer.status !== 401) return answer
  tokens.forget()
  return isFresh ? answer : askWithToken(tokens, request, signal)
}

/** Sends it to whom no token is given when there is none. Never rejects. */
export async function ask(
  request: UploadRequest,
  token: string | undefined,
  signal: AbortSignal,
): Promise<UploadAnswer> {
  try {
    const response = await send(request, token, signal)
    const status = response.statusCode ?? 0
    const { headers } = response
    const words = await text(response)
    if (status >= 200 && status < 300) return { status, headers, text: words }
    return { status, headers, text: words, refusal: refusalOf(status, headers['retry-after'], words) }
  } catch (error) {
    const message = `${request.url.origin}: ${reasonOf(error)}`
    return { status: 0, headers: {}, text: '', refusal: { code: 'unreachable', message } }
  }
}

/** The answer counts as soon as it is there: a server refuses before it has read the whole body. */
function send({ method, url, headers, file, body }: UploadRequest, token: string | undefined, signal: AbortSignal) {
  return new Promise<IncomingMessage>((resolve, reject) => {
    const open = url.protocol === 'https:' ? httpsRequest : httpRequest
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const request = open(url, { method, headers: { ...headers, ...authorization }, signal })
    request.setTimeout(IDLE_TIMEOUT_MS, () => request.destroy(new Error('the connection stands still')))
    request.once('response', resolve)
    request.on('error', reject) // also when the whole body has left; of no effect after an answer
    if (file === undefined) request.end(body)
    else sendBody(request, file).catch(reject)
  })
}

function sendBody(request: ClientRequest, { path, offset }: { path: string; offset: number }): Promise<void> {
  return pipeline(createReadStream(path, { start: offset }), request)
}

import type { Refusal } from '../unit/unit-transport.js'

/** An answer of the REST interface: what a 2xx said, or why it was refused. */
export type ApiAnswer =
  | { readonly status: number; readonly body: unknown; readonly refusal?: undefined }
  | { readonly status: number; readonly body?: undefined; readonly refusal: Refusal }

export interface ApiCall {
  /** POST without. */
  readonly method?: 'POST' | 'PATCH'
  /** Path after the base path, such as `/devices`. */
  readonly path: string
  readonly body: unknown
  readonly token?: string
  readonly signal?: AbortSignal
}

export const BASE_PATH = '/api/v1'
const CALL_TIMEOUT_MS = 15_000

/** The server's REST interface as a client from outside sees it. */
export class ServerApi {
  /** @param origin scheme, host and port, such as `https://fleet.example.com` */
  constructor(readonly origin: string) {}

  /** Never rejects: a server that cannot be reached, or does not answer in 15 s, is the refusal `unreachable` with status 0. */
  post(call: Omit<ApiCall, 'method'>): Promise<ApiAnswer> {
    return this.call(call)
  }

  /** As {@link post}, of any method. */
  async call({ method = 'POST', path, body, token, signal }: ApiCall): Promise<ApiAnswer> {
    try {
      const timeout = AbortSignal.timeout(CALL_TIMEOUT_MS)
      const response = await fetch(`${this.origin}${BASE_PATH}${path}`, {
        method,
        headers: {
          'content-type': 'application/json',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        body: JSON.stringify(body),
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      })
      const text = await response.text()
      if (response.ok) return { status: response.status, body: parsed(text) }
      return { status: response.status, refusal: refusalOf(response.status, response.headers.get('retry-after'), text) }
    } catch (error) {
      return { status: 0, refusal: { code: 'unreachable', message: `${this.origin}: ${reasonOf(error)}` } }
    }
  }
}

/** Milliseconds that a `Retry-After` header asks for: seconds, or a date. */
export function retryAfterMsOf(header: string | null | undefined, nowMs: number): number | undefined {
  if (header === null || header === undefined) return undefined
  if (/^\d+$/.test(header)) return Number(header) * 1000
  const dateMs = Date.parse(header)
  return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - nowMs)
}

/** Why a status that is no success is one, in the server's words where it has some. */
export function refusalOf(status: number, retryAfter: string | null | undefined, text: string): Refusal {
  const problem = parsed(text)
  const field = (name: string) => {
    const value: unknown = typeof problem === 'object' && problem !== null ? Reflect.get(problem, name) : undefined
    return typeof value === 'string' ? value : undefined
  }
  const retryAfterMs = retryAfterMsOf(retryAfter, Date.now())
  return {
    code: field('code') ?? `http_${status}`,
    message: field('detail') ?? field('title') ?? `HTTP status ${status}`,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // a proxy's page, or nothing at all
  }
}

/** A short reason, such as the system's code. */
export function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  if (!(cause instanceof Error)) return String(cause)
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message
}

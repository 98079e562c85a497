import { setTimeout as sleep } from 'node:timers/promises'
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { stopping } from './blob-errors.js'
import { withContentMd5 } from './s3-content-md5.js'
import { isPassing } from './s3-errors.js'

export interface S3ConnectionOptions {
  /** Address of the server; unset: that of AWS for the region. */
  readonly endpoint?: string | undefined
  readonly region: string
  /** Unset, both: as the AWS tools find them. */
  readonly accessKeyId?: string | undefined
  readonly secretAccessKey?: string | undefined
  readonly forcePathStyle: boolean
}

const CONNECT_MS = 2000
/** One try of a request that is small both ways. */
const ANSWER_MS = 3000
/** Such a request with all its tries: a unit that waits has its answer well within ten seconds. */
const ASK_MS = 8000
const ASK_TRIES = 3
/** No byte was taken for so long, or no answer came after the last one. */
const STALL_MS = 10_000
const SEND_TRIES = 4
const RETRY_AFTER_MS = 200
/** What the server does by itself takes it as long as the object is large. */
const WORK_MS = 120_000
/** Sending to the server is bounded by its users; viewers that read slowly hold a connection each and must not keep others waiting. */
const SOCKETS = { ask: 64, send: 64, read: 1024 }

/** What it has to say is said by the errors; on its own it would write between the lines of the log. */
const SILENT = { trace: mute, debug: mute, info: mute, warn: mute, error: mute }

type Use = keyof typeof SOCKETS
type Act<T> = (client: S3Client, options: { readonly abortSignal: AbortSignal }) => Promise<T>
type Send<T> = (client: S3Client, options: { readonly abortSignal: AbortSignal }, onProgress: () => void) => Promise<T>

/** The requests to one S3 server: each ends in time, and all of them when it closes. */
export class S3Connection {
  private readonly clients: Readonly<Record<Use, S3Client>>
  private readonly running = new Set<AbortController>()
  private isClosed = false

  constructor(options: S3ConnectionOptions) {
    const ask = clientOf(options, 'ask')
    // One of them looks for the key and keeps it fresh.
    const { credentials } = ask.config
    this.clients = { ask, send: clientOf(options, 'send', credentials), read: clientOf(options, 'read', credentials) }
  }

  /** What the clocks of server and machine differ by, as far as that was seen. */
  get clockOffsetMs(): number {
    return this.clients.ask.config.systemClockOffset
  }

  /** By the server's clock. */
  now(): Date {
    return new Date(Date.now() + this.clockOffsetMs)
  }

  /** A request that is small both ways. Tried again where that may help. */
  ask<T>(act: Act<T>): Promise<T> {
    return this.during(ASK_MS, (signal) => act(this.clients.ask, { abortSignal: signal }))
  }

  /** Asks for an object's bytes; resolves when they begin to come, and then they may take their time. */
  read<T>(act: Act<T>): Promise<T> {
    return this.during(ASK_MS, (signal) => act(this.clients.read, { abortSignal: signal }))
  }

  /** Something that the server does with large objects. Tried again where that may help. */
  work<T>(act: Act<T>, signal?: AbortSignal): Promise<T> {
    return this.retrying(signal, () =>
      this.during(WORK_MS, (abortSignal) => act(this.clients.send, { abortSignal }), signal),
    )
  }

  /**
   * A request with a large body, which goes on as long as the server takes bytes. Tried again where that may help.
   * @param act makes its body anew and says when some of it was taken
   */
  send<T>(act: Send<T>, signal?: AbortSignal): Promise<T> {
    return this.retrying(signal, () =>
      this.during(STALL_MS, (abortSignal, renew) => act(this.clients.send, { abortSignal }, renew), signal),
    )
  }

  /** Ends what is under way. */
  close(): void {
    this.isClosed = true
    for (const controller of this.running) controller.abort(stopping())
    for (const client of Object.values(this.clients)) client.destroy()
  }

  private async retrying<T>(signal: AbortSignal | undefined, act: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await act()
      } catch (error) {
        if (this.isClosed || signal?.aborted || tries === SEND_TRIES || !isPassing(error)) throw error
        await sleep(RETRY_AFTER_MS * 4 ** (tries - 1) * (0.5 + Math.random()))
      }
    }
  }

  private async during<T>(
    ms: number,
    act: (signal: AbortSignal, renew: () => void) => Promise<T>,
    outer?: AbortSignal,
  ): Promise<T> {
    if (this.isClosed) throw stopping()
    const controller = new AbortController()
    const abort = () => controller.abort()
    const timer = setTimeout(abort, ms)
    outer?.addEventListener('abort', abort)
    if (outer?.aborted) abort()
    this.running.add(controller)
    try {
      return await act(controller.signal, () => timer.refresh())
    } catch (error) {
      if (this.isClosed) throw stopping()
      throw error
    } finally {
      clearTimeout(timer)
      outer?.removeEventListener('abort', abort)
      this.running.delete(controller)
    }
  }
}

function mute(): void {}

/** One that only signs requests that others make. */
export function signingClientOf(options: S3ConnectionOptions): S3Client {
  return clientOf(options, 'ask')
}

function clientOf(
  { endpoint, region, accessKeyId, secretAccessKey, forcePathStyle }: S3ConnectionOptions,
  use: Use,
  found?: S3ClientConfig['credentials'],
): S3Client {
  const given = accessKeyId === undefined ? found : { accessKeyId, secretAccessKey: secretAccessKey ?? '' }
  const agent = { keepAlive: true, maxSockets: SOCKETS[use] }
  const client = new S3Client({
    region,
    forcePathStyle,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(given === undefined ? {} : { credentials: given }),
    // Servers that are not AWS know the older way only: Content-MD5, which all of them check.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // It would cost a connection of its own and a way there and back for each part.
    expectContinueHeader: false,
    logger: SILENT,
    maxAttempts: use === 'send' ? 1 : ASK_TRIES,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: CONNECT_MS,
      ...(use === 'send' ? {} : { requestTimeout: ANSWER_MS, throwOnRequestTimeout: true }),
      httpAgent: agent,
      httpsAgent: agent,
      logger: SILENT,
    }),
  })
  withContentMd5(client)
  return client
}

import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { NestApplicationOptions } from '@nestjs/common'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { AppConfig } from '../config/app-config.js'
import { AppError } from '../model/app-error.js'
import { allowedOrigins, EXPOSED_HEADERS } from './cors.js'
import { drain } from './drain.js'
import { sendProblem, toProblem } from './problem.js'
import { securityHeadersOf } from './security-headers.js'

/** Largest body that is read into memory. */
export const MAX_BODY_BYTES = 1_048_576
/** A request line and its headers are here within this. */
const HEADERS_WITHIN_MS = 15_000
/** A whole request is here within this: 1 MiB at 9 KB/s. */
const REQUEST_WITHIN_MS = 120_000
/** A connection on which nothing moves either way is cut. */
const IDLE_CONNECTION_MS = 120_000
/** Longer than proxies keep theirs (nginx: 60 s), so that none sends into a connection that is just being closed. */
const KEEP_ALIVE_MS = 75_000
const LOOK_AT_CONNECTIONS_EVERY_MS = 5000
/** Names of files may have 200 bytes, and each may come as three characters. */
const MAX_PARAMETER_CHARACTERS = 1000
const PREFLIGHT_GOOD_FOR_S = 600

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

/**
 * When it closes, all connections end, sockets included: a unit whose network died says nothing, and waiting for it would make every
 * stop late. Whoever stops the server has told those who listen by then.
 */
class CuttingAdapter extends FastifyAdapter {
  override initHttpServer(options: NestApplicationOptions = {}): void {
    super.initHttpServer({ ...options, forceCloseConnections: true })
  }
}

/** The HTTP server with its limits: bodies, slow clients, proxies whose word is taken for addresses, security headers. */
export function createHttpAdapter(config: AppConfig): FastifyAdapter {
  const adapter = new CuttingAdapter({
    bodyLimit: MAX_BODY_BYTES,
    trustProxy: config.TRUST_PROXY.length === 0 ? false : [...config.TRUST_PROXY],
    requestTimeout: REQUEST_WITHIN_MS,
    connectionTimeout: IDLE_CONNECTION_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    routerOptions: { maxParamLength: MAX_PARAMETER_CHARACTERS },
    http: { headersTimeout: HEADERS_WITHIN_MS, connectionsCheckingInterval: LOOK_AT_CONNECTIONS_EVERY_MS },
    clientErrorHandler: refuseBrokenRequest,
    frameworkErrors: refuseBrokenPath,
  })
  adapter.registerSecurityHook(
    (request: { url: string }, response: { setHeader(name: string, value: string): void }) => {
      for (const [name, value] of Object.entries(securityHeadersOf(request.url))) response.setHeader(name, value)
      return undefined
    },
  )
  adapter.getInstance().addHook('onSend', (request, reply, payload, done) => {
    const isCut = reply.getHeader('connection') === 'close' && !request.raw.complete
    if (isCut) void drain(request.raw).then(() => done(null, payload))
    else done(null, payload)
  })
  return adapter
}

/** Lets pages of the configured origins call the API; preflights are answered before anything else looks at them. */
export function registerCors(app: NestFastifyApplication, config: AppConfig): void {
  const origin = allowedOrigins(config)
  if (origin === undefined) return
  app.enableCors({
    origin,
    methods: METHODS,
    exposedHeaders: EXPOSED_HEADERS,
    maxAge: PREFLIGHT_GOOD_FOR_S,
    credentials: false,
  })
}

/** Answers a path that is not well encoded, or has a part so long that nothing can be of that name; no route is found for either. */
function refuseBrokenPath(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const isTooLong = error.code === 'FST_ERR_MAX_PARAM_LENGTH'
  const refusal = isTooLong
    ? new AppError('not_found', 'There is nothing at this path')
    : new AppError('invalid_request', 'The path is not well encoded')
  // The hooks have not run for such a request.
  void reply.headers(securityHeadersOf(request.url))
  sendProblem(reply, refusal, request.url.split('?', 1)[0])
}

/** Answers what is not even an HTTP request, or does not come to an end, and closes the connection. */
function refuseBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const { status, detail } = wordsFor(error.code)
  const problem = { ...toProblem(new AppError('invalid_request', detail)), title: STATUS_CODES[status] ?? '', status }
  const body = JSON.stringify(problem)
  const head = [
    `HTTP/1.1 ${status} ${problem.title}`,
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

function wordsFor(code: string | undefined): { status: number; detail: string } {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return { status: 408, detail: 'The request did not come to its end in time' }
  if (code === 'HPE_HEADER_OVERFLOW') return { status: 431, detail: 'The headers are too large' }
  return { status: 400, detail: 'Not an HTTP request' }
}

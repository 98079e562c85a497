import type { INestApplication, NestApplicationOptions } from '@nestjs/common'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { AppConfig } from '../config/app-config.js'
import { AppError } from '../model/app-error.js'
import { refuseBrokenRequest } from './broken-request.js'
import { allowedOrigins, EXPOSED_HEADERS } from './cors.js'
import { lingerAfter } from './linger.js'
import { sendProblem } from './problem.js'
import { securityHeadersOf } from './security-headers.js'
import { isStreamed } from './streamed-body.js'

/** Largest body that is read into memory. */
export const MAX_BODY_BYTES = 1_048_576
/** A request line and its headers are here within this. */
const HEADERS_WITHIN_MS = 15_000
/** A connection on which nothing moves either way is cut. */
const IDLE_CONNECTION_MS = 120_000
/** Longer than proxies keep theirs (nginx: 60 s), so that none sends into a connection that is just being closed. */
const KEEP_ALIVE_MS = 75_000
const LOOK_AT_CONNECTIONS_EVERY_MS = 5000
/** As long as a request line may be: what is too long for a name is for the route to say. */
const MAX_PARAMETER_CHARACTERS = 16_384
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
    // An upload may take hours: `RequestDeadlines` holds all others to theirs.
    requestTimeout: 0,
    connectionTimeout: IDLE_CONNECTION_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    routerOptions: { maxParamLength: MAX_PARAMETER_CHARACTERS },
    http: {
      headersTimeout: HEADERS_WITHIN_MS,
      connectionsCheckingInterval: LOOK_AT_CONNECTIONS_EVERY_MS,
      // Node would refuse a request without it in no words at all: `refuseNamelessHost` does it in ours.
      requireHostHeader: false,
    },
    clientErrorHandler: refuseBrokenRequest,
    frameworkErrors: refuseBrokenPath,
  })
  adapter.registerSecurityHook(
    (request: { url: string }, response: { setHeader(name: string, value: string): void }) => {
      for (const [name, value] of Object.entries(securityHeadersOf(request.url))) response.setHeader(name, value)
      return undefined
    },
  )
  adapter.getInstance().addHook('onRequest', refuseNamelessHost)
  adapter.getInstance().addHook('onSend', (request, reply, payload, done) => {
    if (!request.raw.complete && endsConnection(request, reply)) lingerAfter(request.raw)
    done(null, payload)
  })
  return adapter
}

/** RFC 9112, 3.2: a request of HTTP/1.1 names its host. */
function refuseNamelessHost(request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void {
  const { httpVersion, headers } = request.raw
  if (httpVersion !== '1.1' || headers.host !== undefined) {
    done()
    return
  }
  void reply.header('connection', 'close')
  done(new AppError('invalid_request', 'The header Host is missing'))
}

/** An upload that is refused half-way ends its connection: throwing the rest away may take hours. */
function endsConnection(request: FastifyRequest, reply: FastifyReply): boolean {
  if (isStreamed(request)) void reply.header('connection', 'close')
  return reply.getHeader('connection') === 'close'
}

/** Lets pages of the configured origins call the API; preflights are answered before anything else looks at them. */
export function registerCors(app: NestFastifyApplication, config: AppConfig): void {
  const origin = allowedOrigins(config)
  if (origin === undefined) return
  const options = {
    origin,
    methods: METHODS,
    exposedHeaders: EXPOSED_HEADERS,
    maxAge: PREFLIGHT_GOOD_FOR_S,
    credentials: false,
  }
  // OPTIONS without those headers is no preflight but a question, such as tus asks: it is for the route to answer.
  // The type of this platform's application lacks what the platform takes: options for each request.
  const general: INestApplication = app
  general.enableCors((request: FastifyRequest, done: (error: null, options: object) => void) =>
    done(null, { ...options, preflight: isPreflight(request) }),
  )
}

function isPreflight({ headers }: FastifyRequest): boolean {
  return headers.origin !== undefined && headers['access-control-request-method'] !== undefined
}

/** Answers a path that is not well encoded; no route is found for it. */
function refuseBrokenPath(_error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const refusal = new AppError('invalid_request', 'The path is not well encoded')
  // The hooks have not run for such a request.
  void reply.headers(securityHeadersOf(request.url))
  sendProblem(reply, refusal, request.url.split('?', 1)[0])
}

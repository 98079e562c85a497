import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Metrics } from '../metrics/metrics.js'
import { AppError, type ErrorCode } from '../model/app-error.js'
import { sendProblem } from './problem.js'
import { RouteMethods } from './route-methods.js'

const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid_request',
  401: 'token_invalid',
  403: 'forbidden',
  404: 'not_found',
  405: 'method_not_allowed',
  406: 'not_acceptable',
  408: 'invalid_request',
  413: 'body_too_large',
  414: 'invalid_request',
  415: 'unsupported_media_type',
  429: 'too_many_requests',
  431: 'headers_too_large',
}

/** Turns whatever a request ended with into problem details; a defect is logged whole and told as `internal`, without its words. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('http')

  constructor(
    private readonly methods: RouteMethods,
    private readonly metrics: Metrics,
  ) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>()
    const reply = host.switchToHttp().getResponse<FastifyReply>()
    const error = this.toAppError(thrown, request, reply)
    this.metrics.refusals.inc({ ingress: 'http', code: error.code })
    if (reply.raw.headersSent) {
      // A stream broke half-way: cutting it is the only way left to tell the client.
      reply.raw.destroy()
      return
    }
    sendProblem(reply, error, pathOf(request))
  }

  private toAppError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): AppError {
    if (thrown instanceof AppError) {
      if (thrown.code === 'internal') this.logDefect(thrown, request)
      return thrown
    }
    const status = statusOf(thrown)
    if (status === 404) return this.toMissing(request, reply)
    const code = status === undefined ? undefined : CODE_OF_STATUS[status]
    if (code !== undefined) return new AppError(code, thrown instanceof Error ? thrown.message : undefined)
    this.logDefect(thrown, request)
    return new AppError('internal')
  }

  private toMissing(request: FastifyRequest, reply: FastifyReply): AppError {
    const allowed = this.methods.allowedAt(pathOf(request))
    if (allowed.length === 0 || allowed.includes(request.method))
      return new AppError('not_found', 'There is nothing at this path')
    reply.header('allow', allowed.join(', '))
    return new AppError('method_not_allowed', `Use ${allowed.join(', ')} here`)
  }

  private logDefect(thrown: unknown, request: FastifyRequest): void {
    this.logger.error({
      event: 'request_failed',
      method: request.method,
      route: request.routeOptions?.url,
      reason: thrown instanceof Error ? thrown.message : String(thrown),
      stack: thrown instanceof Error ? thrown.stack : undefined,
    })
  }
}

function statusOf(thrown: unknown): number | undefined {
  if (thrown instanceof HttpException) return thrown.getStatus()
  if (thrown instanceof URIError || thrown instanceof SyntaxError) return 400
  const status = (thrown as { statusCode?: unknown } | null)?.statusCode
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] as string
}

import { Readable } from 'node:stream'
import { applyDecorators, type CanActivate, type ExecutionContext, Injectable, UseGuards } from '@nestjs/common'
import { RouteConfig } from '@nestjs/platform-fastify'
import { ApiBody, ApiConsumes } from '@nestjs/swagger'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { AppError } from '../model/app-error.js'
import { Refuses } from './answers.js'

export const MAX_CSV_BYTES = 16 * 1_048_576

const CHARSET = /;\s*charset\s*=\s*"?([^";\s]+)/i
const READABLE_CHARSETS = ['utf-8', 'utf8', 'us-ascii', 'ascii']

interface CsvRouteConfig {
  readonly takesCsv?: boolean
}

/**
 * Lets routes with {@link CsvBody} take `text/csv`; everywhere else it stays an unsupported media type. Nothing is read here:
 * who may not call the route is refused before a byte of a long body is in memory.
 */
export function registerCsvBody(fastify: FastifyInstance): void {
  fastify.addContentTypeParser('text/csv', (request, payload, done) => {
    const { takesCsv } = request.routeOptions.config as CsvRouteConfig
    if (takesCsv === true || request.is404) done(null, payload)
    else done(new AppError('unsupported_media_type'))
  })
}

/**
 * Reads the body into `request.body` as text: UTF-8 without its byte order mark, at most 16 MiB. A guard, since a route's own
 * guards run after those that ask who is calling, and before the interceptors, which may want to see the body.
 */
@Injectable()
export class CsvBodyGuard implements CanActivate {
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>()
    request.body = await readText(request)
    return true
  }
}

/** For routes whose `@Body()` is CSV text. @param example shown in the documentation */
export const CsvBody = (example: string) =>
  applyDecorators(
    RouteConfig({ takesCsv: true } satisfies CsvRouteConfig),
    UseGuards(CsvBodyGuard),
    ApiConsumes('text/csv'),
    ApiBody({ schema: { type: 'string', example }, required: true }),
    Refuses('body_too_large', 'unsupported_media_type', 'invalid_request'),
  )

/** @throws AppError `unsupported_media_type` | `body_too_large` | `invalid_request` */
async function readText(request: FastifyRequest): Promise<string> {
  if (!(request.body instanceof Readable)) throw new AppError('unsupported_media_type', 'Send text/csv')
  const charset = CHARSET.exec(request.headers['content-type'] ?? '')?.[1] ?? 'utf-8'
  if (!READABLE_CHARSETS.includes(charset.toLowerCase())) {
    throw new AppError('unsupported_media_type', 'Send text/csv in UTF-8')
  }
  if (Number(request.headers['content-length'] ?? 0) > MAX_CSV_BYTES) throw tooLarge()
  const bytes = await readBytes(request.body)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new AppError('invalid_request', 'The text is not valid UTF-8')
  }
}

async function readBytes(body: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    // The iterator must not destroy the body when it is left early: that would cut the connection under the answer.
    for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length > MAX_CSV_BYTES) throw tooLarge()
      chunks.push(chunk)
    }
  } catch (error) {
    if (error instanceof AppError) throw error
    throw new AppError('invalid_request', 'The body ended early', { cause: error })
  }
  return Buffer.concat(chunks)
}

const tooLarge = () => new AppError('body_too_large', `A CSV body has at most ${MAX_CSV_BYTES} bytes`)

import { RouteConfig } from '@nestjs/platform-fastify'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { AppError } from '../model/app-error.js'
import { exemptFromDeadline } from './request-deadlines.js'

/** What such bodies count as for Fastify, so that no parser for a type that the client happens to name reads them. */
const STREAM = 'application/x-milepost-stream'
const CONTENT_TYPE = Symbol('content type')

interface StreamRouteConfig {
  readonly takesStream?: boolean
}
type StreamedRequest = FastifyRequest & { [CONTENT_TYPE]?: string }

/** For routes that read the body themselves, as it comes, whatever its media type and however long it takes. */
export const StreamedBody = () => RouteConfig({ takesStream: true } satisfies StreamRouteConfig)

/** Leaves the bodies of routes with {@link StreamedBody} alone. Before anything is sent, they may be refused without a byte being read. */
export function registerStreamedBodies(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, _reply, done) => {
    if (isStreamed(request)) {
      exemptFromDeadline(request.raw)
      const { headers } = request.raw
      ;(request as StreamedRequest)[CONTENT_TYPE] = headers['content-type']
      headers['content-type'] = STREAM
    }
    done()
  })
  fastify.addContentTypeParser(STREAM, (request, _payload, done) => {
    if (isStreamed(request) || request.is404) done(null, undefined)
    else done(new AppError('unsupported_media_type'))
  })
}

export function isStreamed(request: FastifyRequest): boolean {
  return (request.routeOptions?.config as StreamRouteConfig | undefined)?.takesStream === true
}

/** The media type that the client gave a streamed body. */
export function contentTypeOf(request: FastifyRequest): string | undefined {
  return (request as StreamedRequest)[CONTENT_TYPE]
}

/**
 * A streamed body in pieces. Leaving it early does not cut the connection, so that an answer can follow. By hand: a generator around
 * the stream's own costs some turns of the microtask queue for each piece.
 * @throws AppError `invalid_request` when the client went away before the end
 */
export function bytesOf(request: FastifyRequest): AsyncIterable<Buffer> {
  const { raw } = request
  return {
    [Symbol.asyncIterator]() {
      const pieces = raw.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>
      return {
        async next() {
          const piece = await pieces.next().catch((cause: unknown) => {
            throw new AppError('invalid_request', 'The body ended early', { cause })
          })
          const isCut = piece.done && !raw.complete && raw.destroyed
          if (isCut) throw new AppError('invalid_request', 'The body ended early')
          return piece
        },
        async return() {
          await pieces.return?.()
          return { done: true, value: undefined }
        },
      }
    },
  }
}

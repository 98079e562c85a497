import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { lingerAfter } from './linger.js'

const waiting = new WeakSet<IncomingMessage>()

/**
 * Answers `Expect: 100-continue` when somebody begins to read the body, and not before: what is refused without it, be it for its
 * token, its length or its name, is refused before the client sends it over a network that it pays for. Node itself would say
 * `100 Continue` at once.
 */
export function holdContinue(fastify: FastifyInstance): void {
  const { server } = fastify
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    invite(request, response)
    server.emit('request', request, response)
  })
  fastify.addHook('onSend', (request, _reply, payload, done) => {
    if (waiting.has(request.raw)) lingerAfter(request.raw)
    done(null, payload)
  })
}

function invite(request: IncomingMessage, response: ServerResponse): void {
  const { shouldKeepAlive } = response
  const read = request._read
  waiting.add(request)
  // Nobody knows whether the client sends its body after a refusal: what comes next may be no request.
  response.shouldKeepAlive = false
  request._read = (size: number) => {
    request._read = read
    if (!response.headersSent) {
      waiting.delete(request)
      response.shouldKeepAlive = shouldKeepAlive
      // One that sends already does not wait.
      if (request.readableLength === 0) response.writeContinue()
    }
    request._read(size)
  }
}

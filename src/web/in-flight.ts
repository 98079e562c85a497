import { Injectable } from '@nestjs/common'
import type { FastifyInstance } from 'fastify'
import { AppError } from '../model/app-error.js'
import { sendProblem } from './problem.js'

const RETRY_AFTER_MS = 5000
/** What watches a server that stops must go on seeing it. */
const ALWAYS_ANSWERED = /^\/(?:health|metrics)(?:[/?]|$)/

/** Counts the HTTP requests under way, so that a stop can wait for them. Sockets are not among them. */
@Injectable()
export class InFlight {
  private count = 0
  private stopping = false
  private readonly waiting = new Set<() => void>()

  get requests(): number {
    return this.count
  }

  get isStopping(): boolean {
    return this.stopping
  }

  /** Counts the requests that arrive from now on. */
  watch(fastify: FastifyInstance): void {
    fastify.addHook('onRequest', (request, reply, done) => {
      if (this.stopping) void reply.header('connection', 'close')
      if (this.stopping && !ALWAYS_ANSWERED.test(request.url)) {
        const refusal = new AppError('overloaded', 'The server is stopping', { retryAfterMs: RETRY_AFTER_MS })
        sendProblem(reply, refusal, request.url.split('?', 1)[0])
        return
      }
      this.count += 1
      // Comes once for every request, whether it was answered or its client went away.
      reply.raw.once('close', () => this.leave())
      done()
    })
  }

  /** From now on new requests are answered `overloaded`; those under way go on. */
  stopAccepting(): void {
    this.stopping = true
  }

  /** Resolves when no request is under way, or after the time given. @returns whether none is */
  async drained(withinMs: number): Promise<boolean> {
    if (this.count === 0) return true
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        this.waiting.delete(done)
        resolve(this.count === 0)
      }
      const timer = setTimeout(done, withinMs)
      this.waiting.add(done)
    })
  }

  private leave(): void {
    this.count -= 1
    if (this.count === 0) for (const done of this.waiting) done()
  }
}

import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common'
import type { Socket } from 'socket.io'
import { Metrics } from '../metrics/metrics.js'
import { AppError } from '../model/app-error.js'
import { HandshakeError } from '../web/handshake.js'
import { TOO_LARGE } from '../web/limited-parser.js'
import { SocketServer } from '../web/socket-server.js'
import { EventBudget } from './event-budget.js'
import { LIVE_NAMESPACE } from './live-event.js'
import { SocketLiveFeed } from './socket-live-feed.js'
import type { UserLink } from './user-link.js'
import { UserLinks } from './user-links.js'
import { parseWatch } from './watch-filter.js'
import { Watcher } from './watcher.js'

type Ack = (answer: unknown) => void

/** One user on the feed. */
interface Viewer {
  readonly link: UserLink
  readonly watcher: Watcher
  readonly budget: EventBudget
}

/** The `/live` namespace: users, with a user token. */
@Injectable()
export class LiveSocket implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('live')
  private readonly handlers: ReadonlyMap<string, (payload: unknown, viewer: Viewer) => unknown> = new Map([
    ['watch', (payload: unknown, viewer: Viewer) => this.watch(payload, viewer)],
    ['auth', (payload: unknown, viewer: Viewer) => this.renew(payload, viewer)],
  ])

  constructor(
    private readonly server: SocketServer,
    private readonly links: UserLinks,
    private readonly feed: SocketLiveFeed,
    private readonly metrics: Metrics,
  ) {}

  onApplicationBootstrap(): void {
    this.links.heed()
    const namespace = this.server.io.of(LIVE_NAMESPACE)
    namespace.use((socket, next) => {
      this.links.admit(socket).then(
        (link) => {
          socket.data = link
          next()
        },
        (error: unknown) => next(new HandshakeError(this.toRefusal(error))),
      )
    })
    namespace.on('connection', (socket) => this.serve(socket))
  }

  onModuleDestroy(): void {
    this.links.stop()
    this.feed.stop()
  }

  private serve(socket: Socket): void {
    const link = socket.data as UserLink
    if (!link.isOpen) {
      // It was to end before it had joined, when nothing could be said to it yet.
      socket.disconnect(true)
      return
    }
    const watcher = new Watcher(link)
    const viewer = { link, watcher, budget: new EventBudget() }
    this.feed.join(watcher)
    socket.once('disconnect', () => this.feed.leave(watcher))
    socket.onAny((event: unknown, ...args: unknown[]) => {
      const last = args.at(-1)
      this.answer(event, args[0], viewer, typeof last === 'function' ? (last as Ack) : undefined)
    })
  }

  /** Answers every event that has an ack, whatever happens; nothing may be thrown from here, it would end the process. */
  private answer(event: unknown, payload: unknown, viewer: Viewer, ack: Ack | undefined): void {
    this.take(event, payload, viewer)
      .then(
        (answer) => ack?.(answer),
        (error: unknown) => ack?.({ error: toEventError(this.toRefusal(error)) }),
      )
      .catch((error: unknown) => this.logger.error({ event: 'ack_failed', reason: String(error) }))
  }

  private async take(event: unknown, payload: unknown, viewer: Viewer): Promise<unknown> {
    const retryAfterMs = viewer.budget.take(performance.now())
    if (retryAfterMs > 0)
      throw new AppError('too_many_requests', 'Too many events of this connection', { retryAfterMs })
    if (payload === TOO_LARGE) throw new AppError('message_too_large', 'A message may have 1 MiB')
    const handler = typeof event === 'string' ? this.handlers.get(event) : undefined
    if (handler === undefined) {
      throw new AppError('unknown_event', `There is no event ${JSON.stringify(event).slice(0, 50)}`)
    }
    return handler(payload, viewer)
  }

  private watch(payload: unknown, { watcher }: Viewer): unknown {
    this.feed.watch(watcher, parseWatch(payload))
    return { ok: true }
  }

  private async renew(payload: unknown, { link }: Viewer): Promise<unknown> {
    const token: unknown = (payload as { token?: unknown } | null | undefined)?.token
    if (typeof token !== 'string') throw new AppError('token_invalid', 'Send {token}')
    return { expiresIn: await this.links.renew(link, token) }
  }

  private toRefusal(error: unknown): AppError {
    const refusal = error instanceof AppError ? error : new AppError('internal', undefined, { cause: error })
    this.metrics.refusals.inc({ ingress: 'live', code: refusal.code })
    if (refusal.code === 'internal') {
      const stack = error instanceof Error ? error.stack : undefined
      this.logger.error({ event: 'live_event_failed', reason: String(error), stack })
    }
    return refusal
  }
}

function toEventError({ code, message, retryAfterMs }: AppError) {
  return retryAfterMs === undefined ? { code, message } : { code, message, retryAfterMs }
}

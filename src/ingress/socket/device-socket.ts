import { Injectable, Logger } from '@nestjs/common'
import type { Socket } from 'socket.io'
import { encodeEventError } from '../../codecs/device-json/encode-answer.js'
import { Metrics } from '../../metrics/metrics.js'
import type { TallySeries } from '../../metrics/tally-histogram.js'
import { AppError } from '../../model/app-error.js'
import { Sessions } from '../../sessions/sessions.js'
import { HandshakeError } from '../../web/handshake.js'
import { SocketServer } from '../../web/socket-server.js'
import { type Ack, AckBacklog } from './ack-backlog.js'
import { Admission } from './admission.js'
import { DeviceEvents, type Unit } from './device-events.js'
import { MessageArchive } from './message-archive.js'
import type { SocketLink } from './socket-link.js'

/**
 * The default namespace: units, with a device token. Handlers sit on the socket itself, since a gateway's per-message machinery
 * costs more than the rest of the way together.
 */
@Injectable()
export class DeviceSocket {
  private readonly logger = new Logger('socket')
  private readonly ackSeconds: TallySeries

  constructor(
    private readonly server: SocketServer,
    private readonly admission: Admission,
    private readonly events: DeviceEvents,
    private readonly metrics: Metrics,
    private readonly sessions: Sessions,
    private readonly archive: MessageArchive,
  ) {
    this.ackSeconds = metrics.ackSeconds.of('socket')
  }

  /** Starts taking units. */
  listen(): void {
    this.server.io.use((socket, next) => {
      this.admission.admit(socket).then(
        (link) => {
          socket.data = link
          next()
        },
        (error: unknown) => next(new HandshakeError(this.toRefusal(error))),
      )
    })
    this.server.io.on('connection', (socket) => this.serve(socket))
  }

  private serve(socket: Socket): void {
    const link = socket.data as SocketLink
    link.messages = this.archive.open(link.deviceId)
    const { messages } = link
    if (messages !== undefined)
      socket.onAnyOutgoing((event: unknown, payload: unknown) => messages.event('out', event, payload))
    if (!link.joined()) return
    const unit: Unit = { link, floodedSinceMs: 0, floodedEvents: 0 }
    const backlog = new AckBacklog(socket.conn)
    socket.onAny((event: unknown, ...args: unknown[]) => {
      if (backlog.isFull) {
        this.events.endFlood(unit)
        // At once and with all that waits: it would be held until the connection is given up.
        socket.conn.close(true)
        return
      }
      const last = args.at(-1)
      void this.handle(event, args[0], unit, typeof last === 'function' ? backlog.counted(last as Ack) : undefined)
    })
    // The handshake's request is not needed any more, and it is most of what an idle link would hold.
    ;(socket.conn as { request: unknown }).request = null
    this.sessions.ready(link)
  }

  /** Answers every event that has an ack, whatever happens; nothing may be thrown from here, it would end the process. */
  private async handle(event: unknown, payload: unknown, unit: Unit, ack: Ack | undefined): Promise<void> {
    const startedMs = performance.now()
    const { messages } = unit.link
    messages?.event('in', event, payload)
    let answer: unknown
    try {
      answer = await this.events.take(event, payload, unit)
      this.ackSeconds.observe((performance.now() - startedMs) / 1000)
    } catch (error) {
      answer = encodeEventError(this.toRefusal(error))
    }
    if (ack === undefined) return
    try {
      messages?.answer('out', event, answer)
      ack(answer)
    } catch (error) {
      this.logger.error({ event: 'ack_failed', reason: String(error) })
    }
  }

  private toRefusal(error: unknown): AppError {
    const refusal = error instanceof AppError ? error : new AppError('internal', undefined, { cause: error })
    this.metrics.refusals.inc({ ingress: 'socket', code: refusal.code })
    if (refusal.code === 'internal') {
      const stack = error instanceof Error ? error.stack : undefined
      this.logger.error({ event: 'socket_event_failed', reason: String(error), stack })
    }
    return refusal
  }
}

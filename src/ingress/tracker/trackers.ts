import { Injectable, Logger } from '@nestjs/common'
import type { DecodeError } from '../../codecs/decode-error.js'
import type { TrackerCodec, TrackerFacts, TrackerMessage, TrackerReply } from '../../codecs/tracker-codec.js'
import { TRACKER_CODECS } from '../../codecs/tracker-codecs.js'
import { AppConfig } from '../../config/app-config.js'
import { DeviceLearning } from '../../identity/device-learning.js'
import { TrackerDoor } from '../../identity/tracker-door.js'
import { AppError } from '../../model/app-error.js'
import { Sessions } from '../../sessions/sessions.js'
import { hasDatagrams } from './datagram-codec.js'
import { DatagramTrackers } from './datagram-trackers.js'
import { FrameArchive } from './frame-archive.js'
import { SentCommands } from './sent-commands.js'
import type { TrackerConnection, TrackerEnd, TrackerHost } from './tracker-connection.js'
import { type TrackerDevice, toTrackerDevice } from './tracker-device.js'
import { TrackerIntake } from './tracker-intake.js'
import type { TrackerLink } from './tracker-link.js'
import { TrackerNotes, type TrackerSender } from './tracker-notes.js'
import { TrackerReplies } from './tracker-replies.js'
import { TrackerRoom } from './tracker-room.js'
import { TrackerServer } from './tracker-server.js'

const SECOND_MS = 1000
/** Longer than a store is usually away; then the tracker better comes again. */
const RETRY_MS = 30_000

/** The ways in of all brands. */
@Injectable()
export class Trackers {
  private readonly logger = new Logger('trackers')
  private readonly servers: TrackerServer[] = []
  private readonly room: TrackerRoom
  private isStopping = false

  constructor(
    private readonly config: AppConfig,
    private readonly door: TrackerDoor,
    private readonly intake: TrackerIntake,
    private readonly sessions: Sessions,
    private readonly datagrams: DatagramTrackers,
    private readonly notes: TrackerNotes,
    private readonly learning: DeviceLearning,
    private readonly sent: SentCommands,
    private readonly replies: TrackerReplies,
    private readonly frames: FrameArchive,
  ) {
    this.room = new TrackerRoom(config.TRACKER_CONNECTIONS, config.TRACKER_CONNECTIONS_PER_ADDRESS)
  }

  /** Listens for every brand that has a port, also for its datagrams. @throws the system's error when one cannot be had */
  async listen(): Promise<void> {
    for (const codec of TRACKER_CODECS) {
      const port = this.portOf(codec)
      if (port === 0) continue
      await this.listenFor(codec, port)
      if (codec.decodeDatagram !== undefined) await this.listenForDatagrams(codec, port)
    }
  }

  /**
   * @param port 0: any free one
   * @returns the port
   */
  async listenFor(codec: TrackerCodec, port: number): Promise<number> {
    const { protocol } = codec
    const refused = (address: string) => this.notes.refused('overloaded', { protocol, ingress: 'tcp', address })
    const server = new TrackerServer(this.hostOf(codec), this.room, refused)
    this.servers.push(server)
    const taken = await server.listen(port, this.config.HOST)
    this.logger.log({ event: 'trackers_listening', protocol, transport: 'tcp', port: taken })
    return taken
  }

  /**
   * @param port 0: any free one
   * @returns the port
   * @throws Error for a protocol without datagrams
   */
  async listenForDatagrams(codec: TrackerCodec, port: number): Promise<number> {
    if (!hasDatagrams(codec)) throw new Error(`${codec.brand} has no datagrams`)
    return this.datagrams.listenFor(codec, port)
  }

  /** Nobody new is let in, and nothing new is taken. */
  stop(): void {
    this.isStopping = true
    this.intake.stop()
    for (const server of this.servers) server.stopAccepting()
    this.datagrams.stop()
  }

  async close(): Promise<void> {
    await Promise.all([...this.servers.map((server) => server.close()), this.datagrams.close()])
  }

  private portOf({ protocol }: TrackerCodec): number {
    const { config } = this
    const ports: Readonly<Record<string, number>> = {
      teltonika: config.TRACKER_TELTONIKA_PORT,
      queclink: config.TRACKER_QUECLINK_PORT,
      ruptela: config.TRACKER_RUPTELA_PORT,
      galileosky: config.TRACKER_GALILEOSKY_PORT,
    }
    return ports[protocol] ?? 0
  }

  private hostOf(codec: TrackerCodec): TrackerHost {
    const { config, notes, sessions } = this
    const { brand, protocol } = codec
    const ingress = 'tcp'
    const senderOf = ({ address, device }: TrackerConnection): TrackerSender => {
      return { protocol, ingress, address, deviceId: device?.deviceId }
    }
    return {
      codec,
      limits: {
        loginMs: config.TRACKER_LOGIN_TIMEOUT_S * SECOND_MS,
        frameMs: config.TRACKER_FRAME_TIMEOUT_S * SECOND_MS,
        idleMs: config.TRACKER_IDLE_TIMEOUT_S * SECOND_MS,
        retryMs: RETRY_MS,
      },
      admit: (imei, address) => this.admit(imei, { protocol, ingress, address }),
      isWelcome: (deviceId) => this.door.recall(deviceId) !== undefined,
      settle: (message, frame, { deviceId, sack }) => this.intake.settle(message, { deviceId, ingress, frame }, sack),
      keep: (message, frame, { imei, address }) =>
        this.intake.keep(message, { deviceId: imei, ingress, frame }, address),
      openArchive: (peer) => this.frames.openConnection(protocol, peer),
      handleRead: ({ kind }: TrackerMessage) => notes.frameRead(protocol, kind),
      handleAnswered: (tookMs) => notes.answered(ingress, tookMs),
      handleUnreadable: (error: DecodeError, frame: Buffer, connection: TrackerConnection) =>
        notes.unreadable(error, frame, senderOf(connection)),
      handleFault: (error: unknown, connection: TrackerConnection) => notes.failed(error, senderOf(connection)),
      learn: ({ model }: TrackerFacts, { deviceId }) => this.learning.learn(deviceId, { protocol, brand, model }),
      sent: this.sent,
      open: (link: TrackerLink) => {
        sessions.open(link, false)
      },
      ready: (link: TrackerLink) => sessions.ready(link),
      heard: ({ deviceId }, link) => sessions.heard(deviceId, link),
      handleLateReply: (reply: TrackerReply, { deviceId }) => this.replies.handleUnasked(reply, deviceId, protocol),
      settleReply: (reply: TrackerReply, { deviceId }) => this.replies.settle(reply, deviceId, protocol),
      began: () => notes.connectionBegan(protocol),
      ended: (connection: TrackerConnection, why: TrackerEnd | undefined) => {
        notes.connectionEnded(protocol, why ?? 'peer')
        const endedBy = why === undefined ? 'unit' : 'server'
        if (connection.link !== undefined) sessions.closed(connection.link, endedBy)
      },
    }
  }

  private async admit(imei: string, sender: TrackerSender): Promise<TrackerDevice | undefined> {
    try {
      // Nobody is asked any more: who will come again is refused, what nobody sends again is kept for the next start.
      if (this.isStopping && this.door.recall(imei) === undefined)
        throw new AppError('overloaded', 'The server is stopping', { retryAfterMs: SECOND_MS })
      const device = await this.door.admit(imei, sender.address)
      if (device !== undefined) return toTrackerDevice(device, (deviceId) => this.door.recall(deviceId))
    } catch (error) {
      if (error instanceof AppError) this.notes.refused(error.code, { ...sender, deviceId: imei })
      throw error
    }
    this.notes.refused('login_refused', { ...sender, deviceId: imei })
    return undefined
  }
}

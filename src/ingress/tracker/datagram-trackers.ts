import { Injectable, Logger } from '@nestjs/common'
import type { DecodeError } from '../../codecs/decode-error.js'
import type { TrackerFacts, TrackerMessage, TrackerReply } from '../../codecs/tracker-codec.js'
import { toDelivery } from '../../codecs/tracker-report.js'
import { AppConfig } from '../../config/app-config.js'
import { DeviceLearning } from '../../identity/device-learning.js'
import { TrackerDoor } from '../../identity/tracker-door.js'
import { type DeviceId, deviceKindOf } from '../../model/device-id.js'
import { Spool } from '../../pipeline/spool.js'
import { Sessions } from '../../sessions/sessions.js'
import { DatagramAdmission } from './datagram-admission.js'
import type { DatagramCodec } from './datagram-codec.js'
import type { DatagramSource } from './datagram-links.js'
import { DatagramRoom } from './datagram-room.js'
import { FrameArchive } from './frame-archive.js'
import { SentCommands } from './sent-commands.js'
import { type ArrivedDatagram, type DatagramHost, TrackerDatagrams } from './tracker-datagrams.js'
import type { TrackerDevice } from './tracker-device.js'
import type { TrackerLink } from './tracker-link.js'
import { TrackerNotes } from './tracker-notes.js'
import { TrackerReplies } from './tracker-replies.js'

/** Datagrams under way, of all brands: some seconds of a large fleet, while the store is slow. */
const MOST_UNDER_WAY = 8192
const MOST_UNDER_WAY_BYTES = 4_194_304

/** The ways in of trackers that send datagrams: nobody else sends them again, so that what the store does not take now is spooled. */
@Injectable()
export class DatagramTrackers {
  private readonly logger = new Logger('trackers')
  private readonly listeners: TrackerDatagrams[] = []
  private readonly room = new DatagramRoom(MOST_UNDER_WAY, MOST_UNDER_WAY_BYTES)
  private readonly admission: DatagramAdmission

  constructor(
    private readonly config: AppConfig,
    door: TrackerDoor,
    private readonly spool: Spool,
    private readonly sessions: Sessions,
    private readonly learning: DeviceLearning,
    private readonly archive: FrameArchive,
    private readonly sent: SentCommands,
    private readonly replies: TrackerReplies,
    private readonly notes: TrackerNotes,
  ) {
    this.admission = new DatagramAdmission(door, (imei) => deviceKindOf(imei, config.IMEI_CHECK) === 'imei')
  }

  /**
   * @param port 0: any free one
   * @returns the port. @throws the system's error when it cannot be had
   */
  async listenFor(codec: DatagramCodec, port: number): Promise<number> {
    const listener = new TrackerDatagrams(this.hostOf(codec))
    const taken = await listener.listen(port, this.config.HOST)
    this.listeners.push(listener)
    this.logger.log({ event: 'trackers_listening', protocol: codec.protocol, transport: 'udp', port: taken })
    return taken
  }

  /** Nobody is asked any more about who he is; what still comes in is kept. */
  stop(): void {
    this.admission.stop()
    for (const listener of this.listeners) listener.stop()
  }

  async close(): Promise<void> {
    await Promise.all(this.listeners.map((listener) => listener.close()))
  }

  private hostOf(codec: DatagramCodec): DatagramHost {
    const { admission, notes, sessions } = this
    const { brand, protocol } = codec
    const senderOf = ({ address }: DatagramSource, deviceId?: string) => {
      return { protocol, ingress: 'udp' as const, address, deviceId }
    }
    return {
      codec,
      sent: this.sent,
      room: this.room,
      recall: (imei) => admission.recall(imei),
      admit: (imei, address) => admission.admit(imei, address),
      settle: (message, datagram, from) => this.settle(message, datagram, from),
      archive: (direction: 'in' | 'out', { bytes, source, atMs }: ArrivedDatagram, deviceId: DeviceId) =>
        this.archive.keepDatagram(direction, bytes, { ...source, deviceId, protocol, atMs }),
      handleRead: ({ kind }: TrackerMessage) => notes.frameRead(protocol, kind),
      handleAnswered: (tookMs) => notes.answered('udp', tookMs),
      handleUnreadable: (error: DecodeError, { bytes, source }: ArrivedDatagram) =>
        notes.unreadable(error, bytes, senderOf(source)),
      handleRefusal: (code, source, imei) => notes.refused(code, senderOf(source, imei)),
      handleFailure: (error, source, imei) => notes.failed(error, senderOf(source, imei)),
      learn: ({ model }: TrackerFacts, { deviceId }: TrackerDevice) =>
        this.learning.learn(deviceId, { protocol, brand, model }),
      heard: ({ deviceId }: TrackerDevice) => sessions.heardWithoutLink(deviceId, 'udp'),
      handleLateReply: (reply: TrackerReply, { deviceId }: TrackerDevice) =>
        this.replies.handleUnasked(reply, deviceId, protocol),
      isLinked: (deviceId) => sessions.linkOf(deviceId) !== undefined,
      open: (link: TrackerLink) => {
        sessions.open(link, false)
        sessions.ready(link)
      },
      // Nobody can tell that a unit without a connection ended it.
      closed: (link: TrackerLink) => sessions.closed(link, 'server'),
    }
  }

  private settle(
    message: TrackerMessage,
    { bytes, source, atMs }: ArrivedDatagram,
    { imei, unadmitted }: { readonly imei: DeviceId; readonly unadmitted: boolean },
  ): Promise<'stored' | 'kept'> {
    const arrival = { deviceId: imei, ingress: 'udp', receivedAtMs: atMs, frame: bytes }
    const delivery = toDelivery(message, arrival)
    return this.spool.settleOrKeep(delivery, unadmitted ? { address: source.address } : undefined)
  }
}

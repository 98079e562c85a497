import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { DecodeError } from '../../codecs/decode-error.js'
import type { TrackerFacts, TrackerMessage, TrackerReply } from '../../codecs/tracker-codec.js'
import type { DeviceId } from '../../model/device-id.js'
import { answerTo } from './answer-to.js'
import type { DatagramSender } from './datagram-admission.js'
import type { DatagramCodec } from './datagram-codec.js'
import { DatagramLinks, type DatagramLinksHost, type DatagramSource } from './datagram-links.js'
import type { DatagramRoom } from './datagram-room.js'
import { DeviceLanes } from './device-lanes.js'
import type { TrackerDevice } from './tracker-device.js'
import type { TrackerLink } from './tracker-link.js'

/** What came from where, or goes there. */
export interface ArrivedDatagram {
  readonly bytes: Buffer
  readonly source: DatagramSource
  /** Epoch milliseconds. */
  readonly atMs: number
}

interface ReadDatagram extends ArrivedDatagram {
  /** By `performance.now()`. */
  readonly startedMs: number
  /** Devices that it is archived for. */
  readonly archivedFor: Set<DeviceId>
}

/** What a listener for datagrams needs of the rest of the server. Nothing of it throws or waits, but where it is said. */
export interface DatagramHost extends Omit<DatagramLinksHost, 'send'> {
  readonly codec: DatagramCodec
  readonly room: DatagramRoom
  /** The device if it is known and let in, from memory. */
  recall(imei: string): TrackerDevice | undefined
  /** Waits. @throws AppError `overloaded` | `too_many_requests` */
  admit(imei: string, address: string): Promise<DatagramSender>
  /**
   * Waits until every record of the message is settled (`stored`), or kept until that can be done.
   * @param unadmitted nobody could be asked whether the device is let in
   * @throws AppError neither
   */
  settle(
    message: TrackerMessage,
    datagram: ArrivedDatagram,
    from: { imei: DeviceId; unadmitted: boolean },
  ): Promise<'stored' | 'kept'>
  /** Tells of what came from, or goes to, a device that is let in. */
  archive(direction: 'in' | 'out', datagram: ArrivedDatagram, deviceId: DeviceId): void
  handleRead(message: TrackerMessage): void
  handleUnreadable(error: DecodeError, datagram: ArrivedDatagram): void
  /** What was read is answered, so long after it came. */
  handleAnswered(tookMs: number): void
  /** It is not taken, since it was refused, or could not be done. */
  handleRefusal(code: 'overloaded' | 'login_refused', source: DatagramSource, imei?: string): void
  handleFailure(error: unknown, source: DatagramSource, imei?: string): void
  /** What a device says of itself, told when it changed. */
  learn(facts: TrackerFacts, device: TrackerDevice): void
  heard(device: TrackerDevice): void
  handleLateReply(reply: TrackerReply, device: TrackerDevice): void
}

/** More than any tracker sends at once. */
const MOST_BYTES = 8192
/** Messages of one device behind the one under way: what a unit that was out of reach has kept. */
const MOST_WAITING = 256
/** Answers that the network does not take; who gets none sends again. */
const MOST_UNSENT_BYTES = 1_048_576
/** Some seconds of a large fleet, while this process does something else; the system may give less. */
const RECEIVE_BUFFER_BYTES = 4_194_304
const TICK_MS = 1000
const SENT_WITHIN_MS = 500
/** What is under way when the server stops is settled, or kept, within this. */
const DRAIN_WITHIN_MS = 5000

/**
 * Listens for the datagrams of one brand's trackers: messages of a device one after the other, each answered to where it came from once
 * everything in it is stored, and only when its device is let in. What is too much is dropped before anything is done with it.
 */
export class TrackerDatagrams {
  private readonly lanes = new DeviceLanes(MOST_WAITING)
  private readonly links: DatagramLinks
  private readonly mostBytes: number
  private socket: Socket | undefined
  private timer: NodeJS.Timeout | undefined
  private isStopping = false
  private isClosing = false

  constructor(
    private readonly host: DatagramHost,
    now: () => number = Date.now,
  ) {
    this.mostBytes = Math.max(host.codec.maxFrameBytes, MOST_BYTES)
    this.links = new DatagramLinks(
      {
        codec: host.codec,
        sent: host.sent,
        isLinked: (deviceId) => host.isLinked(deviceId),
        open: (link: TrackerLink) => host.open(link),
        closed: (link: TrackerLink) => host.closed(link),
        send: (bytes, source, deviceId) => this.send(bytes, source, deviceId),
      },
      now,
    )
  }

  /** @returns the port that it listens on. @throws the system's error, such as EADDRINUSE */
  async listen(port: number, host: string): Promise<number> {
    const { address, family } = await lookup(host)
    const socket = createSocket({
      type: family === 6 ? 'udp6' : 'udp4',
      // Datagrams come from addresses, not from names: there is nothing to look up, and nothing to wait for.
      lookup: (from, _options, callback) => callback(null, from, family),
    })
    const listening = once(socket, 'listening')
    socket.bind({ port, address })
    try {
      await listening
    } catch (error) {
      socket.close()
      throw error
    }
    this.socket = socket
    // Of one datagram, or of the network: the others go on.
    socket.on('error', () => undefined)
    socket.on('message', (bytes, source) => this.take(bytes, source))
    enlargeBuffer(socket)
    this.timer = setInterval(() => this.links.tick(), TICK_MS)
    this.timer.unref()
    return socket.address().port
  }

  /** Opens no way for commands any more. What comes is taken on: not everybody sends it again, and until {@link close} it can be kept. */
  stop(): void {
    this.isStopping = true
  }

  /** Takes nothing new, and resolves when what was under way is settled or kept, or cannot be soon, and the port is free. */
  async close(): Promise<void> {
    this.stop()
    this.isClosing = true
    clearInterval(this.timer)
    await this.drained()
    this.links.close()
    const { socket } = this
    this.socket = undefined
    if (socket === undefined) return
    await sent(socket)
    const closed = once(socket, 'close')
    socket.close()
    await closed
  }

  private async drained(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const tooLate = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, DRAIN_WITHIN_MS)
    })
    await Promise.race([this.lanes.drained(), tooLate])
    clearTimeout(timer)
  }

  private take(bytes: Buffer, { address, port }: RemoteInfo): void {
    const { host } = this
    const datagram = {
      bytes,
      source: { address, port },
      atMs: Date.now(),
      startedMs: performance.now(),
      archivedFor: new Set<DeviceId>(),
    }
    if (this.isClosing || !host.room.enter(bytes.length)) {
      host.handleRefusal('overloaded', datagram.source)
      return
    }
    let left = 1
    const leave = () => {
      left -= 1
      if (left === 0) host.room.leave(bytes.length)
    }
    try {
      for (const message of this.read(datagram)) {
        if (message instanceof DecodeError) {
          host.handleUnreadable(message, datagram)
          continue
        }
        host.handleRead(message)
        left += 1
        if (!this.queue(message, datagram, leave)) leave()
      }
    } catch (error) {
      host.handleFailure(error, datagram.source)
    }
    leave()
  }

  private read({ bytes }: ArrivedDatagram): ReadonlyArray<TrackerMessage | DecodeError> {
    if (bytes.length === 0) return [new DecodeError('bad_length', 'an empty datagram')]
    if (bytes.length > this.mostBytes) return [new DecodeError('too_large', `a datagram of ${bytes.length} bytes`)]
    return this.host.codec.decodeDatagram(bytes)
  }

  /** @returns false: it is not handled */
  private queue(message: TrackerMessage, datagram: ReadDatagram, done: () => void): boolean {
    const { imei } = message
    // A connection that it could belong to is not there.
    if (imei === undefined) return false
    const task = () =>
      this.handle(message, imei, datagram)
        .catch((error: unknown) => this.host.handleFailure(error, datagram.source, imei))
        .finally(done)
    const isTaken = this.lanes.enter(imei, task)
    if (!isTaken) this.host.handleRefusal('overloaded', datagram.source, imei)
    return isTaken
  }

  private async handle(message: TrackerMessage, imei: string, datagram: ReadDatagram): Promise<void> {
    const { host } = this
    const { source } = datagram
    const sender = await host.admit(imei, source.address)
    if (sender.is === 'refused') {
      // Unanswered, whatever the protocol has for it: a refusal could be sent to a unit by whoever makes its address up.
      host.handleRefusal('login_refused', source, imei)
      return
    }
    if (sender.is === 'unasked') {
      if (message.records.length > 0) await host.settle(message, datagram, { imei, unadmitted: true })
      return
    }
    const { device } = sender
    this.archiveOnce(datagram, device)
    const isStored =
      message.records.length === 0 ||
      (await host.settle(message, datagram, { imei: device.deviceId, unadmitted: false })) === 'stored'
    // Disabled meanwhile: what was taken is stored, and that is all.
    if (host.recall(imei) === undefined) return
    host.heard(device)
    if (isStored) this.answer(message, device, datagram)
    this.settleReply(message, device)
    host.learn(message.facts ?? {}, device)
    if (host.codec.takesCommandsByDatagram && !this.isStopping) this.links.hear(device, source)
  }

  private archiveOnce(datagram: ReadDatagram, { deviceId }: TrackerDevice): void {
    if (datagram.archivedFor.has(deviceId)) return
    datagram.archivedFor.add(deviceId)
    this.host.archive('in', datagram, deviceId)
  }

  private answer(
    message: TrackerMessage,
    { deviceId, sack }: TrackerDevice,
    { source, startedMs }: ReadDatagram,
  ): void {
    const answer = answerTo(message, sack)
    if (answer !== undefined && this.send(answer, source, deviceId))
      this.host.handleAnswered(performance.now() - startedMs)
  }

  private settleReply({ reply }: TrackerMessage, device: TrackerDevice): void {
    if (reply === undefined || this.links.find(device.deviceId)?.takeReply(reply)) return
    this.host.handleLateReply(reply, device)
  }

  private send(bytes: Buffer, source: DatagramSource, deviceId: DeviceId): boolean {
    const { socket } = this
    // Nobody can be at port 0, and to say it is an error.
    if (socket === undefined || source.port === 0 || socket.getSendQueueSize() > MOST_UNSENT_BYTES) return false
    this.host.archive('out', { bytes, source, atMs: Date.now() }, deviceId)
    // Whoever it does not reach asks again, or sends again.
    socket.send(bytes, source.port, source.address, () => undefined)
    return true
  }
}

/** Resolves when the network has taken the answers, or does not. */
async function sent(socket: Socket): Promise<void> {
  const untilMs = performance.now() + SENT_WITHIN_MS
  while (socket.getSendQueueCount() > 0 && performance.now() < untilMs) await sleep(SENT_WITHIN_MS / 20)
}

/** As far as the system lets it: without it a moment's pause loses datagrams. */
function enlargeBuffer(socket: Socket): void {
  try {
    socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES)
  } catch {
    // What it has will do.
  }
}

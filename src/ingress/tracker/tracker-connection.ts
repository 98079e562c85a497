import type { Socket } from 'node:net'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { DecodeError, orDecodeError } from '../../codecs/decode-error.js'
import type { TrackerCodec, TrackerFacts, TrackerMessage, TrackerReply } from '../../codecs/tracker-codec.js'
import { AppError } from '../../model/app-error.js'
import type { DeviceId } from '../../model/device-id.js'
import type { ClosingCode } from '../../sessions/link.js'
import { answerTo } from './answer-to.js'
import type { ConnectionFrames, Peer } from './frame-archive.js'
import { FrameBuffer } from './frame-buffer.js'
import type { SentCommands } from './sent-commands.js'
import type { TrackerDevice } from './tracker-device.js'
import { TrackerLink } from './tracker-link.js'

export interface TrackerLimits {
  /** A connection that has not said who it is ends after this. */
  readonly loginMs: number
  /** A frame that is not complete ends its connection after this, whatever trickles in. */
  readonly frameMs: number
  /** A connection that says nothing ends after this. */
  readonly idleMs: number
  /** While the store takes nothing, a message is tried again for so long before the connection is given up. */
  readonly retryMs: number
}

/** Why a connection was ended by us, as metrics name it. */
export type TrackerEnd =
  | 'login_timeout'
  | 'frame_timeout'
  | 'idle_timeout'
  | 'login_refused'
  | 'not_identified'
  | 'other_identity'
  | 'unreadable'
  | 'unanswered'
  | 'store'
  | 'fault'
  | ClosingCode

/** What a connection needs of the rest of the server. */
export interface TrackerHost {
  readonly codec: TrackerCodec
  readonly limits: TrackerLimits
  /**
   * @returns undefined: it is not let in
   * @throws AppError when that cannot be known now
   */
  admit(imei: string, address: string): Promise<TrackerDevice | undefined>
  /** Whether it would be let in, as far as memory knows; false also for one that has to be looked up. */
  isWelcome(deviceId: DeviceId): boolean
  /**
   * Resolves when every record of the message is settled (`stored`), or kept until that can be done.
   * @throws AppError: nothing may be acknowledged
   */
  settle(message: TrackerMessage, frame: Buffer, device: TrackerDevice): Promise<'stored' | 'kept'>
  /**
   * Keeps what somebody said whom nobody can look up now, until that can be done.
   * @throws AppError: it is not kept
   */
  keep(message: TrackerMessage, frame: Buffer, from: { readonly imei: string; readonly address: string }): Promise<void>
  /** Where the frames of a new connection are archived. */
  openArchive(peer: Peer): ConnectionFrames
  /** A frame that was read; never throws, never waits. */
  handleRead(message: TrackerMessage): void
  /** What was read is answered, so long after its turn came; never throws, never waits. */
  handleAnswered(tookMs: number): void
  /** A frame that nobody can read; never throws, never waits. */
  handleUnreadable(error: DecodeError, frame: Buffer, connection: TrackerConnection): void
  /** A mistake of ours that ended the connection; never throws, never waits. */
  handleFault(error: unknown, connection: TrackerConnection): void
  /** What a device says of itself, told once a connection; never throws, never waits. */
  learn(facts: TrackerFacts, device: TrackerDevice): void
  readonly sent: SentCommands
  /** Somebody identified himself on a new connection. */
  open(link: TrackerLink): void
  /** It may be given commands from now on. */
  ready(link: TrackerLink): void
  /** @param link undefined: it cannot be spoken to yet */
  heard(device: TrackerDevice, link: TrackerLink | undefined): void
  handleLateReply(reply: TrackerReply, device: TrackerDevice): void
  /**
   * Resolves when what the answer says of its command is on disk, or nobody knows its command.
   * @throws AppError: it may not be acknowledged
   */
  settleReply(reply: TrackerReply, device: TrackerDevice): Promise<void>
  /** Somebody has connected. */
  began(): void
  ended(connection: TrackerConnection, why: TrackerEnd | undefined): void
}

/** While a frame is being settled, and so much waits behind it, no more is read from the socket. */
const MOST_WAITING_BYTES = 16_384
/** Others have their turn after so many frames of one connection. */
const FRAMES_A_TURN = 64
/** In a row, where one says nothing of those after it: then it is no stream of the protocol after all. */
const MOST_BAD_FRAMES = 32
/** Answers that the tracker does not read. */
const MOST_UNREAD_BYTES = 65_536
const RETRY_AFTER_MS = 1000
/** A tracker that has been let in brings what it kept, before it looks for commands; one that has nothing says nothing for so long. */
const READY_AFTER_MS = 2000
/** Time for the last answer to be read. */
const LINGER_MS = 2000

/**
 * One tracker's TCP connection: frames in, one after the other; an answer to each once everything in it is settled, in their order.
 * When the store takes nothing the socket is not read, so that what waits stays bounded and the tracker keeps the rest.
 */
export class TrackerConnection {
  readonly openedAtMs: number
  readonly address: string
  private readonly buffer: FrameBuffer
  private readonly frames: ConnectionFrames
  private isWorking = false
  private working: Promise<void> = Promise.resolve()
  /** By us; what came and was not handled before is dropped. */
  private hasEnded = false
  /** It sends no more. */
  private endedByPeer = false
  /** To be ended once the frame at hand is answered, and what came behind it and will not come again is handled. */
  private leaving: TrackerEnd | undefined
  private isGone = false
  private why: TrackerEnd | undefined
  private lastHeardMs: number
  /** It had no chance to be let in before. */
  private unknownSinceMs: number
  private known: { readonly device: TrackerDevice; readonly link: TrackerLink } | undefined
  private badInARow = 0
  private toldFacts = ''
  private isOpen = false
  private isReady = false
  private readyTimer: NodeJS.Timeout | undefined

  constructor(
    private readonly socket: Socket,
    private readonly host: TrackerHost,
    private readonly now: () => number = Date.now,
  ) {
    this.openedAtMs = now()
    this.lastHeardMs = this.openedAtMs
    this.unknownSinceMs = this.openedAtMs
    this.address = socket.remoteAddress ?? ''
    this.buffer = new FrameBuffer(host.codec)
    this.frames = host.openArchive({ address: this.address, port: socket.remotePort ?? 0 })
    socket.setNoDelay(true)
    socket.on('data', (chunk) => this.take(chunk))
    socket.on('end', () => this.finish())
    // A reset is the end of the connection, told by `close`.
    socket.on('error', () => undefined)
    socket.on('close', () => this.closed())
    host.began()
  }

  /** Undefined until it has said who it is. */
  get device(): TrackerDevice | undefined {
    return this.known?.device
  }

  /** Undefined until it can be spoken to. */
  get link(): TrackerLink | undefined {
    return this.isOpen ? this.known?.link : undefined
  }

  /** Looks at the limits; call it every second. */
  tick(): void {
    const now = this.now()
    const { loginMs, frameMs, idleMs } = this.host.limits
    if (this.hasEnded || this.isWorking) return
    if (this.known === undefined && now - this.unknownSinceMs >= loginMs) this.end('login_timeout')
    else if (now - (this.buffer.incompleteSinceMs ?? now) >= frameMs) this.end('frame_timeout')
    else if (now - this.lastHeardMs >= idleMs) this.end('idle_timeout')
  }

  /** Ends it: what was written before still goes out. A server that stops answers the frame at hand first, if that is soon. */
  end(why: TrackerEnd): void {
    if (this.hasEnded) return
    // Who does not read, or does not end his half, is cut.
    setTimeout(() => this.socket.destroy(), LINGER_MS).unref()
    if (why === 'shutting_down' && this.isWorking) this.leaving = why
    else this.leave(why)
  }

  /** Resolves when what has come whole is handled; once the socket is closed there will be nothing more. */
  done(): Promise<void> {
    return this.working
  }

  private leave(why: TrackerEnd): void {
    this.hasEnded = true
    this.why = why
    this.socket.end()
    this.socket.resume()
  }

  private take(chunk: Buffer): void {
    const now = this.now()
    this.lastHeardMs = now
    if (this.hasEnded) return
    this.buffer.push(chunk, now)
    if (!this.isWorking) this.working = this.work()
    if (this.isWorking && this.buffer.length > MOST_WAITING_BYTES) this.socket.pause()
  }

  /** The tracker sends no more, and may still read. */
  private finish(): void {
    this.endedByPeer = true
    if (!this.isWorking) this.socket.end()
  }

  private async work(): Promise<void> {
    this.isWorking = true
    try {
      await this.handleFrames()
    } catch (error) {
      this.endBy(error)
    } finally {
      this.isWorking = false
      if (this.endedByPeer && !this.hasEnded) this.socket.end()
    }
  }

  /** Also those of a connection that broke meanwhile: they came whole, and not every tracker sends again. */
  private async handleFrames(): Promise<void> {
    for (let nth = 1; !this.hasEnded; nth++) {
      const frame = this.buffer.shift(this.now())
      if (frame === undefined) break
      await this.handle(frame)
      if (this.buffer.length <= MOST_WAITING_BYTES / 2) this.readOn()
      if (nth % FRAMES_A_TURN === 0) await nextTurn()
    }
    this.endIfLost()
    if (this.leaving !== undefined && !this.hasEnded) this.leave(this.leaving)
    this.readOn()
  }

  private readOn(): void {
    if (this.socket.isPaused()) this.socket.resume()
  }

  /** Whatever was not foreseen ends this connection alone, unanswered. */
  private endBy(error: unknown): void {
    if (!(error instanceof AppError)) this.host.handleFault(error, this)
    if (error instanceof AppError) this.end(error.code === 'too_many_requests' ? 'login_refused' : 'store')
    else this.end('fault')
  }

  private endIfLost(): void {
    const { lost, lostBytes } = this.buffer
    if (lost === undefined || this.hasEnded) return
    this.frames.take('in', lostBytes, this.now())
    this.host.handleUnreadable(lost, lostBytes, this)
    this.end('unreadable')
  }

  private async handle(frame: Buffer): Promise<void> {
    const startedMs = performance.now()
    this.frames.take('in', frame, this.now())
    const message = orDecodeError(() => this.host.codec.decode(frame))
    if (message instanceof DecodeError) {
      this.host.handleUnreadable(message, frame, this)
      if (!this.host.codec.survivesBadFrames || ++this.badInARow >= MOST_BAD_FRAMES) this.end('unreadable')
      return
    }
    this.badInARow = 0
    if (this.leaving !== undefined && this.willComeAgain(message)) {
      this.leave(this.leaving)
      return
    }
    this.host.handleRead(message)
    const device = await this.identify(message, frame)
    if (device === undefined || this.hasEnded) return
    this.host.heard(device, this.link)
    const isStored =
      message.records.length === 0 ||
      (await this.untilTaken(device, () => this.host.settle(message, frame, device))) === 'stored'
    if (this.hasEnded) return
    const answer = isStored ? answerTo(message, device.sack) : undefined
    if (message.reply !== undefined) await this.takeReply(message.reply, device, answer !== undefined)
    if (this.hasEnded) return
    if (answer !== undefined && this.write(answer)) this.host.handleAnswered(performance.now() - startedMs)
    this.tellFacts(message, device)
    if (!(await this.mayOpen(device))) this.end('device_disabled')
    this.openLink()
    if (message.records.length > 0 && this.buffer.length === 0) this.beReady()
  }

  /** Who waits for an answer and gets none sends it again. */
  private willComeAgain(message: TrackerMessage): boolean {
    return message.records.length > 0 && answerTo(message, this.device?.sack ?? false) !== undefined
  }

  /** @returns undefined: whoever it is, nothing of the message counts */
  private async identify(message: TrackerMessage, frame: Buffer): Promise<TrackerDevice | undefined> {
    const { imei } = message
    const { known } = this
    if (known !== undefined) {
      if (imei === undefined || imei === known.device.deviceId) return known.device
      this.end('other_identity')
      return undefined
    }
    if (imei === undefined || message.needsLogin === true) {
      // A sign of life may come before the login.
      if (message.kind !== 'heartbeat') this.end('not_identified')
      return undefined
    }
    const device = await this.admit(imei, message, frame)
    if (device === 'unasked') return undefined
    if (device === undefined) {
      if (message.answers.refused !== undefined) this.write(message.answers.refused)
      this.end('login_refused')
      return undefined
    }
    this.frames.admit(device.deviceId)
    this.known = { device, link: new TrackerLink(device, this.wire()) }
    return device
  }

  /**
   * @returns `unasked`: nobody can say now; what it will not send again is kept until somebody can, and the connection stays for what
   * comes behind it
   */
  private async admit(
    imei: string,
    message: TrackerMessage,
    frame: Buffer,
  ): Promise<TrackerDevice | undefined | 'unasked'> {
    const { address } = this
    try {
      return await this.host.admit(imei, address)
    } catch (error) {
      const isPassing = error instanceof AppError && error.code !== 'too_many_requests'
      if (!isPassing || waitsForWord(message)) throw error
      if (message.records.length > 0) {
        await this.host.keep(message, frame, { imei, address })
        this.unknownSinceMs = this.now()
      }
      return 'unasked'
    }
  }

  /** What is acknowledged is not said again: what it says of its command is on disk before. */
  private async takeReply(reply: TrackerReply, device: TrackerDevice, isAcknowledged: boolean): Promise<void> {
    if (isAcknowledged) await this.untilTaken(device, () => this.host.settleReply(reply, device))
    const isWaitedFor = this.known?.link.takeReply(reply) ?? false
    if (!isWaitedFor && !isAcknowledged) this.host.handleLateReply(reply, device)
  }

  /** Tries until the store has it, or for so long that the tracker better comes again; not for who is let in no more, or erased. */
  private async untilTaken<Taken>(device: TrackerDevice, take: () => Promise<Taken>): Promise<Taken> {
    const untilMs = this.now() + this.host.limits.retryMs
    for (;;) {
      try {
        return await take()
      } catch (error) {
        const isOver = this.hasEnded || this.leaving !== undefined || this.socket.destroyed || this.now() >= untilMs
        if (!(error instanceof AppError) || isOver) throw error
        await sleep(Math.min(error.retryAfterMs ?? RETRY_AFTER_MS, RETRY_AFTER_MS))
        if (this.hasEnded || !(await this.mayOpen(device))) throw error
      }
    }
  }

  /** Who was disabled or deleted while its first message waited had no link yet that could be ended. */
  private async mayOpen({ deviceId }: TrackerDevice): Promise<boolean> {
    if (this.isOpen || this.isGone || this.host.isWelcome(deviceId)) return true
    return (await this.host.admit(deviceId, this.address)) !== undefined && this.host.isWelcome(deviceId)
  }

  /** After the first answer: nobody is spoken to before that. */
  private openLink(): void {
    if (this.isOpen || this.hasEnded || this.isGone || this.known === undefined) return
    this.isOpen = true
    this.host.open(this.known.link)
    this.readyTimer = setTimeout(() => this.beReady(), READY_AFTER_MS).unref()
  }

  private beReady(): void {
    if (this.isReady || this.link === undefined || this.hasEnded || this.isGone) return
    this.isReady = true
    clearTimeout(this.readyTimer)
    this.host.ready(this.link)
  }

  private tellFacts({ facts }: TrackerMessage, device: TrackerDevice): void {
    const told = JSON.stringify(facts ?? {})
    if (told === this.toldFacts) return
    this.toldFacts = told
    this.host.learn(facts ?? {}, device)
  }

  private wire() {
    return {
      codec: this.host.codec,
      transport: 'tcp' as const,
      sent: this.host.sent,
      write: (bytes: Buffer) => this.write(bytes),
      end: (code: ClosingCode) => this.end(code),
    }
  }

  private write(bytes: Buffer): boolean {
    if (this.socket.destroyed || this.socket.writableEnded) return false
    this.frames.take('out', bytes, this.now())
    this.socket.write(bytes)
    if (this.socket.writableLength > MOST_UNREAD_BYTES) {
      this.end('unanswered')
      this.socket.destroy()
    }
    return true
  }

  private closed(): void {
    this.isGone = true
    clearTimeout(this.readyTimer)
    this.known?.link.ended()
    this.host.ended(this, this.why)
  }
}

/** Its sender waits for an answer before it goes on, and comes again with all of it when there is none. */
function waitsForWord(message: TrackerMessage): boolean {
  const { kind, records, answers } = message
  if (records.length > 0) return answerTo(message, false) !== undefined
  return kind === 'login' || answers.refused !== undefined
}

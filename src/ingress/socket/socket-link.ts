import type { Socket } from 'socket.io'
import { decodeCommandReply } from '../../codecs/device-json/decode-command-result.js'
import { encodeCommandOrder } from '../../codecs/device-json/encode-command-order.js'
import type { CommandOrder, CommandReply } from '../../model/command.js'
import type { DeviceId } from '../../model/device-id.js'
import type { ClosingCode, Link } from '../../sessions/link.js'
import type { SocketMessages } from './message-archive.js'

const CLOSING_WORDS: Readonly<Record<ClosingCode, string>> = {
  replaced: 'A newer connection of this device took over',
  token_expired: 'The token has expired; log in again',
  device_disabled: 'This device may no longer connect with this login',
  shutting_down: 'The server is stopping; come back with a jittered back-off',
  too_many_requests: 'Too many events; slow down',
}

/** Timers hold at most so many milliseconds; a token that lives longer is looked at again then. */
const MAX_TIMER_MS = 2_147_483_647

/** Where socket.io keeps what waits for an answer: only commands do. */
interface WithAcks {
  readonly acks: Map<number, () => void>
}

/** A unit's authenticated socket. Ends itself, with words, when its token does. */
export class SocketLink implements Link {
  readonly transport = 'socket'
  readonly carriesCommandIds = true
  readonly openedAtMs = Date.now()
  private expiry: NodeJS.Timeout | undefined
  private isClosed = false
  private closing: ClosingCode | undefined
  /** Where answers to commands are archived; undefined: nowhere. */
  messages: SocketMessages | undefined

  constructor(
    private readonly socket: Socket,
    readonly deviceId: DeviceId,
    private readonly onExpired: () => void,
  ) {}

  /** Starts over with a fresh token's end. */
  expireAt(expiresAtMs: number): void {
    clearTimeout(this.expiry)
    if (this.isClosed) return
    const leftMs = Math.max(0, expiresAtMs - Date.now())
    this.expiry =
      leftMs > MAX_TIMER_MS
        ? setTimeout(() => this.expireAt(expiresAtMs), MAX_TIMER_MS)
        : setTimeout(() => this.onExpired(), leftMs)
    this.expiry.unref()
  }

  async sendCommand(order: CommandOrder, withinMs: number): Promise<CommandReply | undefined> {
    if (this.isClosed) return undefined
    try {
      const answer: unknown = await this.socket.timeout(withinMs).emitWithAck('command', encodeCommandOrder(order))
      this.messages?.answer('in', 'command', answer)
      return decodeCommandReply(answer)
    } catch {
      return undefined // no answer in time, or the link ended
    }
  }

  close(code: ClosingCode): void {
    if (this.isClosed) return
    this.ended()
    this.closing = code
    if (this.socket.connected) this.disconnect(code)
  }

  /**
   * The unit has joined, and can be spoken to.
   * @returns false: the link was to end before that, and the unit is told now
   */
  joined(): boolean {
    if (this.closing !== undefined) this.disconnect(this.closing)
    return !this.isClosed
  }

  /** The connection is gone. */
  ended(): void {
    this.isClosed = true
    clearTimeout(this.expiry)
    // socket.io leaves the acks of a socket that is gone to their time-outs.
    for (const settle of [...(this.socket as unknown as WithAcks).acks.values()]) settle()
    ;(this.socket as unknown as WithAcks).acks.clear()
  }

  private disconnect(code: ClosingCode): void {
    this.socket.emit('closing', { code, message: CLOSING_WORDS[code] })
    this.socket.disconnect(true)
  }
}

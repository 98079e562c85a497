import { toCommandReply } from '../../codecs/to-command-reply.js'
import type { TrackerCodec, TrackerReply } from '../../codecs/tracker-codec.js'
import type { CommandOrder, CommandReply } from '../../model/command.js'
import type { DeviceId } from '../../model/device-id.js'
import type { ClosingCode, Link } from '../../sessions/link.js'
import type { SentCommands } from './sent-commands.js'
import type { TrackerDevice } from './tracker-device.js'

/** What a link needs of the connection that it is. */
export interface TrackerWire {
  readonly codec: Pick<TrackerCodec, 'encodeCommand'>
  readonly transport: 'tcp' | 'udp'
  readonly sent: SentCommands
  /** @returns false: it is gone, and nothing was written */
  write(bytes: Buffer): boolean
  end(code: ClosingCode): void
}

interface Waiting {
  readonly key: string
  /** Undefined: its answer is known by a number anyway. */
  readonly cutOff: { readonly commandId: string; readonly untilMs: number } | undefined
  readonly settle: (reply: CommandReply | undefined) => void
}

/** A tracker's connection as commands see it: without numbers of ours, so that nothing is ever sent twice. */
export class TrackerLink implements Link {
  readonly carriesCommandIds = false
  readonly openedAtMs = Date.now()
  readonly deviceId: DeviceId
  readonly transport: 'tcp' | 'udp'
  private readonly waiting: Waiting[] = []
  private isOver = false

  constructor(
    private readonly device: TrackerDevice,
    private readonly wire: TrackerWire,
  ) {
    this.deviceId = device.deviceId
    this.transport = wire.transport
  }

  /** For the answer to a command. */
  get isWaiting(): boolean {
    return this.waiting.length > 0
  }

  /** An answer without a number is that to the oldest command, so that there must not be two, also where nobody wants the older one any more. */
  get isBusy(): boolean {
    return this.waiting.some(({ cutOff }) => cutOff !== undefined)
  }

  async sendCommand(order: CommandOrder, withinMs: number): Promise<CommandReply | undefined> {
    if (this.isOver) return undefined
    const { codec, sent } = this.wire
    const { deviceId, model, commandPassword } = this.device
    const target = { imei: deviceId, model, password: commandPassword, serial: sent.nextSerial(deviceId) }
    const encoded = codec.encodeCommand(order, target)
    if ('unsupported' in encoded)
      return { status: 'failed', result: null, message: `unsupported_command: ${encoded.unsupported}` }
    if (!this.wire.write(encoded.bytes)) return undefined
    if (encoded.replyKey === undefined) return { status: 'done', result: null, message: null }
    const { replyKey, isNumbered = false } = encoded
    if (isNumbered) sent.noteNumbered(deviceId, replyKey, order.id)
    const cutOff = isNumbered ? undefined : { commandId: order.id, untilMs: Date.now() + withinMs }
    return this.reply({ key: replyKey, cutOff }, withinMs)
  }

  /** @returns false: nobody waits for it */
  takeReply(reply: TrackerReply): boolean {
    const index = this.waiting.findIndex(({ key }) => key === reply.key)
    const [waiting] = index < 0 ? [] : this.waiting.splice(index, 1)
    waiting?.settle(toCommandReply(reply))
    return waiting !== undefined
  }

  close(code: ClosingCode): void {
    this.ended()
    this.wire.end(code)
  }

  /** The connection is gone. */
  ended(): void {
    this.isOver = true
    for (const { key, cutOff, settle } of this.waiting.splice(0)) {
      if (cutOff !== undefined) this.wire.sent.noteCutOff(this.deviceId, key, cutOff.commandId, cutOff.untilMs)
      settle(undefined)
    }
  }

  private reply(what: Pick<Waiting, 'key' | 'cutOff'>, withinMs: number): Promise<CommandReply | undefined> {
    return new Promise((resolve) => {
      const waiting: Waiting = {
        ...what,
        settle: (reply) => {
          clearTimeout(timer)
          resolve(reply)
        },
      }
      const timer = setTimeout(() => {
        this.waiting.splice(this.waiting.indexOf(waiting), 1)
        resolve(undefined)
      }, withinMs)
      this.waiting.push(waiting)
    })
  }
}

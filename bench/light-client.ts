import { once } from 'node:events'
import { WebSocket } from 'ws'

const PING = 0x32
const MESSAGE = 0x34
const DISCONNECT = 0x31
const EVENT = 0x32
const ACK = 0x33
const DIGIT_0 = 0x30
const BRACKET = 0x5b

/** Takes an acknowledgement: the packet's id, and the frame with the place where the JSON array of the answer begins. */
export type TakeAck = (id: number, frame: Buffer, bodyAt: number) => void

/**
 * A unit's socket that speaks engine.io and socket.io over `ws` by hand, since a load generator must cost less than what it
 * measures: texts go out as they are, answers come in as bytes, and nothing is parsed that the caller does not look at.
 */
export class LightClient {
  onAck: TakeAck = () => undefined
  /** Disconnections, and events of the server (`closing` among them) unless somebody takes them: no load expects them. */
  onSurprise: (text: string) => void = () => undefined
  /** Takes an event of the server, the whole packet. */
  onEvent: (text: string) => void = (text) => this.onSurprise(text)

  private constructor(private readonly socket: WebSocket) {
    socket.on('message', (frame: Buffer) => this.take(frame))
    socket.on('close', () => this.onSurprise('the connection was closed'))
  }

  /**
   * Connects to the default namespace.
   * @param url of the server, `http://host:port`
   * @param token the device's; undefined for a server that asks for none
   * @throws Error with the answer of a refused handshake
   */
  static async connect(url: string, token?: string): Promise<LightClient> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`, {
      perMessageDeflate: false,
      skipUTF8Validation: true,
    })
    await once(socket, 'message')
    socket.send(token === undefined ? '40' : `40{"token":"${token}"}`)
    const [answer] = (await once(socket, 'message')) as [Buffer]
    const text = answer.toString()
    if (!text.startsWith('40')) {
      socket.terminate()
      throw new Error(`the handshake was refused: ${text}`)
    }
    return new LightClient(socket)
  }

  send(text: string): void {
    this.socket.send(text)
  }

  close(): void {
    this.onSurprise = () => undefined
    this.socket.terminate()
  }

  private take(frame: Buffer): void {
    if (frame[0] === PING) this.send('3')
    else if (frame[0] !== MESSAGE) return
    else if (frame[1] === ACK) this.takeAck(frame)
    else if (frame[1] === EVENT) this.onEvent(frame.toString())
    else if (frame[1] === DISCONNECT) this.onSurprise(frame.toString())
  }

  private takeAck(frame: Buffer): void {
    let id = 0
    let at = 2
    for (let byte = frame[at]; byte !== undefined && byte !== BRACKET; byte = frame[++at]) {
      id = id * 10 + byte - DIGIT_0
    }
    this.onAck(id, frame, at)
  }
}

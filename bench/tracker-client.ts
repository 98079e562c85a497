import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { encodeLogin } from '../src/codecs/teltonika/encode-records.js'
import { testImei } from '../test/support/api.js'

const ANSWER_BYTES = 4
const LET_IN = 1
const CONNECTS_AT_ONCE = 100

/** A Teltonika unit's connection that costs no more than it must: packets go out as they are given, and of answers the count is read. */
export class TrackerClient {
  /** Takes the count of an answer. */
  onAnswer: (records: number) => void = () => undefined
  /** Told when the connection ends, which no load expects. */
  onSurprise: (text: string) => void = () => undefined
  private half: Buffer = Buffer.alloc(0)

  private constructor(private readonly socket: Socket) {
    socket.on('data', (bytes) => this.take(bytes))
    socket.on('error', () => undefined)
    socket.on('close', () => this.onSurprise('the connection was closed'))
  }

  /** Connects as the n-th test unit. @throws Error when it is not let in */
  static async connect(port: number, unit: number): Promise<TrackerClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    socket.write(encodeLogin(testImei(unit)))
    const [answer] = (await once(socket, 'data')) as [Buffer]
    if (answer.length !== 1 || answer[0] !== LET_IN) throw new Error(`the login was answered ${answer.toString('hex')}`)
    return new TrackerClient(socket)
  }

  /** Connects the first so many units, some at once. */
  static async connectAll(port: number, units: number): Promise<TrackerClient[]> {
    const clients: TrackerClient[] = []
    let next = 0
    const connectSome = async () => {
      for (let unit = next++; unit < units; unit = next++) clients[unit] = await TrackerClient.connect(port, unit)
    }
    await Promise.all(Array.from({ length: CONNECTS_AT_ONCE }, connectSome))
    return clients
  }

  send(packet: Buffer): void {
    this.socket.write(packet)
  }

  close(): void {
    this.onSurprise = () => undefined
    this.socket.destroy()
  }

  private take(bytes: Buffer): void {
    let rest = this.half.length === 0 ? bytes : Buffer.concat([this.half, bytes])
    for (; rest.length >= ANSWER_BYTES; rest = rest.subarray(ANSWER_BYTES)) this.onAnswer(rest.readUInt32BE(0))
    this.half = rest
  }
}

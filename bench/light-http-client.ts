import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

const HEAD_END = '\r\n\r\n'

/**
 * One kept-alive HTTP/1.1 connection with one request under way, written by hand for the reason that {@link LightClient} is.
 * Understands answers with a `Content-Length` only.
 */
export class LightHttpClient {
  private received = ''
  private take: ((status: number, body: string) => void) | undefined

  private constructor(
    private readonly socket: Socket,
    private readonly head: string,
  ) {
    socket.setNoDelay(true)
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.received += text
      this.answerWhenWhole()
    })
  }

  /** @param headers that every request has besides its own, each with its line end */
  static async connect(url: string, path: string, token: string, headers = ''): Promise<LightHttpClient> {
    const { hostname, port, host } = new URL(url)
    const socket = connect(Number(port), hostname)
    await once(socket, 'connect')
    const head = `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n${headers}`
    return new LightHttpClient(socket, head)
  }

  /** @param body ASCII */
  post(body: string, take: (status: number, body: string) => void): void {
    this.take = take
    this.socket.write(`${this.head}Content-Length: ${body.length}${HEAD_END}${body}`, 'latin1')
  }

  close(): void {
    this.socket.destroy()
  }

  private answerWhenWhole(): void {
    const headEnd = this.received.indexOf(HEAD_END)
    if (headEnd === -1) return
    const length = /\r\ncontent-length: (\d+)/i.exec(this.received.slice(0, headEnd + 2))?.[1]
    const end = headEnd + HEAD_END.length + Number(length)
    if (this.received.length < end) return
    const status = Number(this.received.slice(9, 12))
    const body = this.received.slice(headEnd + HEAD_END.length, end)
    this.received = this.received.slice(end)
    this.take?.(status, body)
  }
}

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const WITHIN_MS = 10_000

/** A tracker's raw socket: bytes out, bytes in. */
export class TrackerUnit {
  private bytes = Buffer.alloc(0)
  isEnded = false

  private constructor(private readonly socket: Socket) {
    socket.on('data', (chunk) => {
      this.bytes = Buffer.concat([this.bytes, chunk])
    })
    socket.on('error', () => undefined)
    const end = () => {
      this.isEnded = true
    }
    socket.on('end', end)
    socket.on('close', end)
  }

  static async connect(port: number): Promise<TrackerUnit> {
    const socket = connect({ port, host: '127.0.0.1' })
    await once(socket, 'connect')
    socket.setNoDelay(true)
    return new TrackerUnit(socket)
  }

  /** What came and was not taken, as hex. */
  get received(): string {
    return this.bytes.toString('hex')
  }

  /** Written, but not taken by the network yet, since the server does not read on. */
  get unsent(): number {
    return this.socket.writableLength
  }

  send(...parts: readonly (Uint8Array | string)[]): void {
    for (const part of parts) this.socket.write(typeof part === 'string' ? Buffer.from(part, 'hex') : part)
  }

  /** Takes so many bytes that were answered. @throws Error when they do not come */
  async answer(bytes: number): Promise<string> {
    const untilMs = performance.now() + WITHIN_MS
    while (this.bytes.length < bytes) {
      if (performance.now() > untilMs || (this.isEnded && this.bytes.length < bytes))
        throw new Error(`${bytes} bytes were awaited and ${this.bytes.toString('hex')} came`)
      await sleep(1)
    }
    const answer = this.bytes.subarray(0, bytes)
    this.bytes = this.bytes.subarray(bytes)
    return answer.toString('hex')
  }

  /** Resolves when the server has ended the connection. @returns what came before that and was not taken */
  async ended(): Promise<string> {
    const untilMs = performance.now() + WITHIN_MS
    while (!this.isEnded) {
      if (performance.now() > untilMs) throw new Error('the connection stays open')
      await sleep(5)
    }
    return this.bytes.toString('hex')
  }

  /** Reads no more; what is answered stays in the network. */
  stopReading(): void {
    this.socket.pause()
  }

  /** Sends no more, and still reads. */
  halfClose(): void {
    this.socket.end()
  }

  /** Breaks off in a way that throws away what is on the way. */
  reset(): void {
    this.socket.resetAndDestroy()
  }

  close(): void {
    this.socket.destroy()
  }
}

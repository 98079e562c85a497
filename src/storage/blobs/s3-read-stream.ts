import { Readable } from 'node:stream'
import { blobsUnavailable } from './blob-errors.js'
import { toS3Error } from './s3-errors.js'

/** The server sends nothing for so long while somebody wants to read. */
const STALL_MS = 15_000
const BUFFERED_BYTES = 262_144

/**
 * An object's bytes on their way here. It ends only after all of them: what breaks off, or stops coming, is an error. Destroying it,
 * or its end, frees the connection.
 */
export class S3ReadStream extends Readable {
  private waiting: NodeJS.Timeout | undefined
  private left: number

  /** @param body as the SDK gives it; nobody else reads it */
  constructor(
    private readonly body: Readable,
    bytes: number,
    private readonly stallMs = STALL_MS,
  ) {
    super({ highWaterMark: BUFFERED_BYTES })
    this.left = bytes
    // Whoever was given it may have gone before reading: what breaks off then concerns nobody, and ends no process.
    this.on('error', () => undefined)
    body.on('data', (chunk: Buffer) => this.receive(chunk))
    body.pause()
    body.once('end', () => this.end())
    body.once('error', (error) => this.destroy(toS3Error(error) as Error))
    body.once('close', () => this.end())
  }

  override _read(): void {
    this.waiting ??= setTimeout(() => this.destroy(blobsUnavailable('S3 sends no more')), this.stallMs)
    this.body.resume()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.rest()
    this.body.destroy()
    callback(error)
  }

  private receive(chunk: Buffer): void {
    this.left -= chunk.byteLength
    this.waiting?.refresh()
    if (this.push(chunk)) return
    this.rest()
    this.body.pause()
  }

  private end(): void {
    this.rest()
    if (this.destroyed || this.readableEnded) return
    if (this.left === 0) this.push(null)
    else this.destroy(blobsUnavailable('S3 broke off in the middle of an object'))
  }

  private rest(): void {
    clearTimeout(this.waiting)
    this.waiting = undefined
  }
}

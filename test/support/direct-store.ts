import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import type {
  BlobStore,
  BlobUploadId,
  DirectPart,
  DirectUploads,
  SignedRequest,
} from '../../src/storage/blobs/blob-store.js'

const CHECKSUM = 'x-amz-checksum-sha256'

interface Sent {
  readonly etag: string
  readonly body: Buffer
}

interface Open {
  readonly signatures: Map<string, { readonly index: number; readonly part: DirectPart }>
  readonly parts: Map<number, Sent>
  readonly count: number
  gathered: Buffer | undefined
}

/**
 * Direct uploads on any store, for machines without an S3 server: units PUT to a server of its own, which is as strict with what was
 * signed as S3 is. Everything is in memory, so for small files only.
 */
export class DirectStore implements DirectUploads {
  private readonly all = new Map<BlobUploadId, Open>()

  private constructor(
    private readonly blobs: BlobStore,
    private readonly server: Server,
  ) {}

  /** Puts it in front of a store. */
  static async on(blobs: BlobStore): Promise<DirectStore> {
    const server = createServer()
    const store = new DirectStore(blobs, server)
    server.on('request', (request: IncomingMessage, response) => {
      store.take(request).then(
        ({ status, etag }) => response.writeHead(status, etag === undefined ? {} : { etag }).end(),
        () => response.destroy(),
      )
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    Object.defineProperty(blobs, 'direct', { value: store })
    return store
  }

  async close(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }

  async begin(key: string, parts: readonly DirectPart[]) {
    const id = await this.blobs.beginUpload(key)
    this.all.set(id, { signatures: new Map(), parts: new Map(), count: parts.length, gathered: undefined })
    return { id, requests: this.sign(id, parts) }
  }

  async signAgain(id: BlobUploadId, parts: readonly DirectPart[]) {
    return (await this.get(id)).gathered === undefined ? this.sign(id, parts) : undefined
  }

  async gather(id: BlobUploadId, etags?: readonly string[]): Promise<number | undefined> {
    const open = await this.get(id)
    if (open.gathered !== undefined) return open.gathered.length
    const sent = Array.from({ length: open.count }, (_, index) => open.parts.get(index))
    if (!sent.every((part, index) => part !== undefined && (etags === undefined || etags[index] === part.etag))) {
      return undefined
    }
    const whole = Buffer.concat(sent.flatMap((part) => (part === undefined ? [] : [part.body])))
    await this.blobs.append(id, 0, Readable.from([whole]))
    open.gathered = whole
    return whole.length
  }

  async read(id: BlobUploadId): Promise<Readable> {
    const { gathered } = await this.get(id)
    if (gathered === undefined) throw new RangeError('it is not gathered')
    return Readable.from(piecesOf(gathered))
  }

  private sign(id: BlobUploadId, parts: readonly DirectPart[]): SignedRequest[] {
    const { port } = this.server.address() as AddressInfo
    return parts.map((part, index) => {
      const signature = randomUUID()
      this.all.get(id)?.signatures.set(signature, { index, part })
      const headers = { [CHECKSUM]: Buffer.from(part.sha256, 'hex').toString('base64') }
      return { method: 'PUT', url: `http://127.0.0.1:${port}/${id}/${signature}`, headers, bytes: part.bytes }
    })
  }

  private async take(request: IncomingMessage): Promise<{ readonly status: number; readonly etag?: string }> {
    const [, id = '', signature = ''] = (request.url ?? '').split('/')
    const body = Buffer.concat(await request.toArray())
    const signed = this.all.get(id)?.signatures.get(signature)
    const open = await this.get(id).catch(() => undefined)
    if (open === undefined || open.gathered !== undefined) return { status: 404 }
    const sha256 = signed && Buffer.from(signed.part.sha256, 'hex').toString('base64')
    if (signed === undefined || request.method !== 'PUT' || request.headers[CHECKSUM] !== sha256) return { status: 403 }
    if (createHash('sha256').update(body).digest('base64') !== sha256) return { status: 400 }
    const etag = `"${createHash('md5').update(body).digest('hex')}"`
    open.parts.set(signed.index, { etag, body })
    return { status: 200, etag }
  }

  /** It lives as long as the store's own upload does: whoever completes or drops that ends this. */
  private async get(id: BlobUploadId): Promise<Open> {
    const open = this.all.get(id)
    const known = await this.blobs.listIdleUploads(Date.now() + 60_000)
    if (open === undefined || !known.includes(id)) throw new RangeError(`there is no upload ${id}`)
    return open
  }
}

function* piecesOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

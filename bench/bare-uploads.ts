import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { openDirectoryBlobs } from '../src/storage/blobs/directory-blob-store.js'

/**
 * The floor of uploads: a bare HTTP server that streams each body into the product's own store of objects, with its syncs and
 * renames, and answers when the object is there. No type, no hash, no records, no tokens. Below `/hashed/` it also makes the SHA-256
 * of the bytes, which says what that costs. DELETE drops everything below a path.
 * Usage: bare-uploads DIRECTORY
 */
const [directory = '.'] = process.argv.slice(2)
const store = await openDirectoryBlobs({ directory })

async function take(request: IncomingMessage, key: string): Promise<string> {
  const id = await store.beginUpload('truck/clip')
  const hash = key.startsWith('hashed/') ? createHash('sha256') : undefined
  const bytes = await store.append(id, 0, hash === undefined ? request : hashed(request, hash))
  await store.complete(id, key)
  return JSON.stringify({ bytes, sha256: hash?.digest('hex') ?? null })
}

async function* hashed(bytes: AsyncIterable<Buffer>, hash: ReturnType<typeof createHash>): AsyncGenerator<Buffer> {
  for await (const chunk of bytes) {
    hash.update(chunk)
    yield chunk
  }
}

const server = createServer((request, response) => {
  const key = (request.url ?? '/').slice(1)
  const answer = request.method === 'PUT' ? take(request, key) : store.removeUnder(key).then(() => '{}')
  answer.then(
    (body) => response.writeHead(201, { 'content-type': 'application/json' }).end(body),
    (error: unknown) => response.writeHead(500).end(String(error)),
  )
})
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`bare uploads listens on http://127.0.0.1:${(server.address() as AddressInfo).port}\n`)
})
process.once('SIGTERM', () => process.exit(0))

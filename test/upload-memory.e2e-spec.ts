import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { testImei } from './support/api.js'
import { ADMIN_PASSWORD, ServerProcess } from './support/server-process.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { videoBytes } from './support/video-bytes.js'
import { watchMemory } from './support/watch-memory.js'

const MIB = 1_048_576
/** What the contract speaks of takes a minute on a slow disk: `UPLOAD_MEMORY_MIB=2048`. */
const PUT_MIB = Number(process.env.UPLOAD_MEMORY_MIB ?? '512')
const OTHERS_MIB = 256
const MAY_GROW_MIB = 64
const VIDEOS = '/api/v1/videos'

let server: ServerProcess
let token: string

beforeAll(async () => {
  server = new ServerProcess({
    DATA_DIR: temporaryDirectory(),
    DEVICE_ENROLMENT: 'open',
    LOG_LEVEL: 'warn',
    MEDIA_WORKERS: '0',
  })
  await server.start()
  token = await server.api.loginDevice(testImei(1))
  // What the first upload loads and makes is not what an upload takes.
  await put('warm-1.mp4', 64)
  await form('warm-2.mp4', 32)
  await tus('warm-3.mp4', 32)
}, 120_000)
afterAll(async () => {
  await server.kill()
  await removeTemporaryDirectories()
})

describe('an upload', () => {
  it.each<[string, number, (name: string, mebibytes: number) => Promise<string>]>([
    ['PUT', PUT_MIB, put],
    ['a form', OTHERS_MIB, form],
    ['tus', OTHERS_MIB, tus],
  ])(
    'takes no memory for its size: %s of %i MiB',
    async (way, mebibytes, upload) => {
      const watch = watchMemory(server.pid)
      const startedMs = performance.now()
      const sha256 = await upload(`large-${way.replace(' ', '-')}.mp4`, mebibytes)
      const grownMib = watch.stop()
      const seconds = (performance.now() - startedMs) / 1000
      process.stdout.write(
        `${way}: ${mebibytes} MiB in ${seconds.toFixed(1)} s, memory grew by at most ${grownMib.toFixed(1)} MiB\n`,
      )
      expect(sha256).toBe(hashOf(mebibytes))
      expect(grownMib).toBeLessThan(MAY_GROW_MIB)
    },
    300_000,
  )
})

const FIRST = videoBytes(MIB)

function* pieces(mebibytes: number): Generator<Buffer> {
  for (let n = 0; n < mebibytes; n++) yield FIRST
}

function hashOf(mebibytes: number): string {
  const hash = createHash('sha256')
  for (const piece of pieces(mebibytes)) hash.update(piece)
  return hash.digest('hex')
}

async function send(
  method: string,
  url: string,
  headers: Record<string, string>,
  body: Iterable<Buffer>,
): Promise<IncomingMessage & { readonly text: string }> {
  const request = httpRequest(`${server.url}${url}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...headers },
  })
  const answered = once(request, 'response') as Promise<[IncomingMessage]>
  for (const piece of body) if (!request.write(piece)) await once(request, 'drain')
  request.end()
  const [response] = await answered
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return Object.assign(response, { text })
}

async function put(name: string, mebibytes: number): Promise<string> {
  const { text } = await send('PUT', `${VIDEOS}/${name}`, {}, pieces(mebibytes))
  return JSON.parse(text).sha256
}

async function form(name: string, mebibytes: number): Promise<string> {
  const head = `--x\r\ncontent-disposition: form-data; name="file"; filename="${name}"\r\n\r\n`
  function* body(): Generator<Buffer> {
    yield Buffer.from(head)
    yield* pieces(mebibytes)
    yield Buffer.from('\r\n--x--\r\n')
  }
  const { text } = await send('POST', VIDEOS, { 'content-type': 'multipart/form-data; boundary=x' }, body())
  return JSON.parse(text).sha256
}

async function tus(name: string, mebibytes: number): Promise<string> {
  const version = { 'tus-resumable': '1.0.0' }
  const created = await send(
    'POST',
    `${VIDEOS}/uploads`,
    {
      ...version,
      'upload-length': String(mebibytes * MIB),
      'upload-metadata': `filename ${Buffer.from(name).toString('base64')}`,
    },
    [],
  )
  const patched = await send(
    'PATCH',
    created.headers.location ?? '',
    { ...version, 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' },
    pieces(mebibytes),
  )
  const admin = await server.api.login('admin', ADMIN_PASSWORD)
  const { body } = await server.api.get(`${VIDEOS}/${patched.headers['video-id']}`, admin)
  return String(body.sha256)
}

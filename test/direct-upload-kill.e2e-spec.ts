import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { describeOn } from './stores/describe-on.js'
import { type Made, makeBucket } from './stores/test-servers.js'
import { type Answer, testImei } from './support/api.js'
import { ADMIN_PASSWORD, ServerProcess } from './support/server-process.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { sha256Of, videoBytes } from './support/video-bytes.js'
import { watchMemory } from './support/watch-memory.js'

const VIDEOS = '/api/v1/videos'
const PART_BYTES = 67_108_864
const MAY_GROW_MIB = 64
const ROUNDS = 6
/** Each kill comes so much later after the unit said that all is there. */
const LATER_MS = 200

interface Request {
  readonly method: string
  readonly url: string
  readonly headers: Record<string, string>
}
interface Target extends Request {
  readonly id: string
  readonly parts: readonly Request[]
}

afterAll(removeTemporaryDirectories)

describeOn('S3_ENDPOINT', 'a server that is killed while units send files to the store', () => {
  let made: Made
  let server: ServerProcess
  let token: string

  beforeAll(async () => {
    made = await makeBucket()
    const settings = { DEVICE_ENROLMENT: 'open', LOG_LEVEL: 'warn', MEDIA_WORKERS: '0' }
    server = new ServerProcess({ DATA_DIR: temporaryDirectory(), ...settings, ...made.variables })
    await server.start()
    token = await server.api.loginDevice(testImei(1))
  }, 60_000)
  afterAll(async () => {
    await server.kill()
    await made.remove()
  })

  const again = async () => {
    await server.kill()
    await server.start()
  }
  const announce = (fileName: string, bytes: Buffer, more: object = {}) => {
    const facts = { fileName, bytes: bytes.length, sha256: sha256Of(bytes), ...more }
    return server.api.post<Target>(`${VIDEOS}/direct`, facts, token)
  }
  const send = async ({ method, url, headers }: Request, body: Buffer) => {
    const response = await fetch(url, { method, headers, body })
    expect(response.status).toBe(200)
    return response.headers.get('etag') ?? ''
  }
  const complete = (id: string, body: object = {}): Promise<Answer> =>
    server.api.post(`${VIDEOS}/${id}/complete`, body, token)
  const shown = async (fileName: string) => {
    const admin = await server.api.login('admin', ADMIN_PASSWORD)
    return server.api.all<{ id: string; sha256: string }>(`${VIDEOS}?fileName=${fileName}`, admin)
  }

  it('knows every upload still, between any two steps of its unit', async () => {
    const bytes = videoBytes(200_000)
    const begun = await announce('steps.mp4', bytes)
    await again()
    expect((await announce('steps.mp4', bytes)).body.id).toBe(begun.body.id)
    await again()
    await send(begun.body, bytes)
    await again()
    expect(await complete(begun.body.id)).toMatchObject({ status: 201, body: { id: begun.body.id } })
    await again()
    expect(await complete(begun.body.id)).toMatchObject({ status: 200, body: { id: begun.body.id } })
    expect(await announce('steps.mp4', bytes)).toMatchObject({ status: 200, body: { id: begun.body.id } })
    expect(await shown('steps.mp4')).toHaveLength(1)
  }, 180_000)

  it('has the whole file once, whenever it was killed while it looked at it', async () => {
    const statuses: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const name = `round-${round}.mp4`
      const bytes = Buffer.concat([videoBytes(5000), Buffer.alloc(24 * 1_048_576, round)])
      const { body } = await announce(name, bytes)
      await send(body, bytes)
      const cut = complete(body.id).catch(() => undefined)
      await sleep(round * LATER_MS)
      await again()
      await cut
      // As a unit does that forgot everything, or one that did not.
      const told = round % 2 === 0 ? await complete(body.id) : await announce(name, bytes)
      const ended = told.status === 201 && round % 2 === 1 ? await complete(body.id) : told
      statuses.push(ended.status)
      expect([200, 201]).toContain(ended.status)
      expect(await shown(name)).toMatchObject([{ id: body.id, sha256: sha256Of(bytes) }])
    }
    process.stdout.write(`answers after the kills: ${statuses.join(' ')}\n`)
  }, 300_000)

  it('goes on with a file of three parts where it was, and takes no memory for its size', async () => {
    const part = Buffer.concat([videoBytes(5000), Buffer.alloc(PART_BYTES - 5000, 1)])
    const last = Buffer.alloc(1_000_000, 2)
    const parts = [part, part, last]
    const hash = createHash('sha256')
    for (const one of parts) hash.update(one)
    const facts = { bytes: 2 * PART_BYTES + last.length, sha256: hash.digest('hex'), partSha256: parts.map(sha256Of) }
    const begun = await announce('large.mp4', Buffer.alloc(0), facts)
    expect([begun.status, begun.body.parts.length]).toEqual([201, 3])
    const etags = [await send(begun.body.parts[0] as Request, part)]
    await again()
    const { body } = await announce('large.mp4', Buffer.alloc(0), facts)
    expect(body.id).toBe(begun.body.id)
    for (const index of [1, 2]) etags.push(await send(body.parts[index] as Request, parts[index] as Buffer))
    const watch = watchMemory(server.pid)
    const startedMs = performance.now()
    const completed = await complete(body.id, { etags })
    const grownMib = watch.stop()
    const seconds = (performance.now() - startedMs) / 1000
    process.stdout.write(`129 MiB read in ${seconds.toFixed(1)} s, memory grew by at most ${grownMib.toFixed(1)} MiB\n`)
    expect([completed.status, completed.body.sha256, completed.body.bytes]).toEqual([201, facts.sha256, facts.bytes])
    expect(grownMib).toBeLessThan(MAY_GROW_MIB)
  }, 120_000)
})

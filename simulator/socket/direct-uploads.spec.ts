import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { buffer } from 'node:stream/consumers'
import { removeTemporaryDirectories, temporaryDirectory } from '../../test/support/temporary-directory.js'
import type { ClipFile } from '../unit/unit-transport.js'
import type { DeviceToken } from './device-token.js'
import { DirectUploads } from './direct-uploads.js'
import { PutUploads } from './put-uploads.js'
import { ServerApi } from './server-api.js'

const CONTENT = Buffer.from('a clip')
const NEVER = new AbortController().signal

type Answer = readonly [status: number, body: object]

describe('clips that go to the object store', () => {
  let server: Server
  let origin: string
  let clip: ClipFile
  let uploads: DirectUploads
  /** Each request: method, path, whether it had the token, and its body. */
  let asked: string[]
  let answers: Record<string, Answer>

  beforeEach(async () => {
    asked = []
    server = createServer(
      (request, response) =>
        void answer(request).then(([status, body]) => {
          response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
        }),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const file = path.join(temporaryDirectory(), 'clip.mp4')
    writeFileSync(file, CONTENT)
    const sha256 = createHash('sha256').update(CONTENT).digest()
    clip = { path: file, fileName: 'ü 1.mp4', bytes: CONTENT.length, sha256, recordedAtMs: 1_700_000_000_000 }
    const tokens = {
      get: async () => ({ token: { value: 'secret' }, isFresh: true }),
      forget: () => undefined,
    } as unknown as DeviceToken
    const api = new ServerApi(origin)
    uploads = new DirectUploads(api, tokens, new PutUploads(api, tokens))
    const begun = { id: 'v1', method: 'PUT', url: `${origin}/store?signed=1`, headers: { 'x-digest': 'd' } }
    answers = {
      'POST /api/v1/videos/direct': [201, begun],
      'PUT /store?signed=1': [200, {}],
      'POST /api/v1/videos/v1/complete': [201, { id: 'v1' }],
      'PUT /api/v1/videos/%C3%BC%201.mp4': [201, { id: 'put' }],
    }
  })
  afterEach(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  afterAll(removeTemporaryDirectories)

  async function answer(request: IncomingMessage): Promise<Answer> {
    const route = `${request.method} ${request.url}`
    const body = (await buffer(request)).toString()
    const { authorization, 'x-digest': digest } = request.headers
    asked.push([route, authorization === 'Bearer secret' ? 'token' : 'no token', digest ?? '-', body].join(' | '))
    return answers[route] ?? [500, {}]
  }
  const refusal = (status: number, code: string): Answer => [status, { code }]

  it('are announced, sent without the token and with the signed headers, and completed', async () => {
    expect(await uploads.upload(clip, NEVER)).toEqual({ videoId: 'v1' })
    const announced = {
      fileName: 'ü 1.mp4',
      bytes: 6,
      sha256: clip.sha256.toString('hex'),
      recordedAt: '2023-11-14T22:13:20.000Z',
    }
    expect(asked).toEqual([
      `POST /api/v1/videos/direct | token | - | ${JSON.stringify(announced)}`,
      'PUT /store?signed=1 | no token | d | a clip',
      'POST /api/v1/videos/v1/complete | token | - | {}',
    ])
  })

  it('are not sent when the server has them', async () => {
    answers['POST /api/v1/videos/direct'] = [200, { id: 'before' }]
    expect(await uploads.upload(clip, NEVER)).toEqual({ videoId: 'before' })
    expect(asked).toHaveLength(1)
  })

  it('go by PUT where the server offers no such way, which it is asked once', async () => {
    answers['POST /api/v1/videos/direct'] = refusal(409, 'direct_upload_unavailable')
    expect(await uploads.upload(clip, NEVER)).toEqual({ videoId: 'put' })
    expect(await uploads.upload(clip, NEVER)).toEqual({ videoId: 'put' })
    expect(asked.map((one) => one.slice(0, 16))).toEqual(['POST /api/v1/vid', 'PUT /api/v1/vide', 'PUT /api/v1/vide'])
  })

  it.each<[string, string, Answer, object]>([
    ['the announcement for ever', 'POST /api/v1/videos/direct', refusal(409, 'file_exists'), { isLasting: true }],
    ['the announcement now', 'POST /api/v1/videos/direct', refusal(503, 'overloaded'), { isLasting: false }],
    ['the bytes, by the store', 'PUT /store?signed=1', [403, {}], { isLasting: false, refusal: { code: 'http_403' } }],
    [
      'what has not arrived',
      'POST /api/v1/videos/v1/complete',
      refusal(409, 'upload_incomplete'),
      { isLasting: false },
    ],
    ['what is there no more', 'POST /api/v1/videos/v1/complete', refusal(404, 'not_found'), { isLasting: false }],
    ['what it is', 'POST /api/v1/videos/v1/complete', refusal(415, 'unsupported_media'), { isLasting: true }],
  ])('are refused: %s', async (_, route, given, outcome) => {
    answers[route] = given
    expect(await uploads.upload(clip, NEVER)).toMatchObject(outcome)
  })
})

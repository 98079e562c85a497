import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { BlobStore } from '../src/storage/blobs/blob-store.js'
import { VideoRecords } from '../src/storage/sql/video-records.js'
import { testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { heldObjects, heldUploads } from './support/held-uploads.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { sha256Of, videoBytes } from './support/video-bytes.js'

const VIDEOS = '/api/v1/videos'

interface Given {
  readonly status: number
  readonly code?: unknown
  readonly id?: unknown
  readonly fileName?: unknown
}

let running: RunningApp
let data: string
let token: string
const imei = testImei(4)

beforeAll(async () => {
  data = temporaryDirectory()
  running = await startApp({ DATA_DIR: data, DEVICE_ENROLMENT: 'open' })
  token = await running.api.loginDevice(imei)
})
afterAll(async () => {
  await running.close()
  await removeTemporaryDirectories()
})

const get = <T>(type: abstract new (...parameters: never[]) => T): T => running.app.get(type, { strict: false })

/** Sends a request as it is: clients would change some of these names on their way. */
async function raw(method: string, url: string, headers: Record<string, string>, body: Buffer): Promise<Given> {
  const socket = connect(Number(new URL(running.url).port), '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  const lines = Object.entries({
    host: 'x',
    authorization: `Bearer ${token}`,
    'content-length': String(body.length),
    connection: 'close',
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(Buffer.concat([Buffer.from(`${method} ${url} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1'), body]))
  await once(socket, 'close')
  const [head = '', text = ''] = Buffer.concat(chunks).toString().split('\r\n\r\n')
  const videoId = /^video-id: (.*)$/im.exec(head)?.[1]?.trim()
  const answer = text === '' ? {} : (JSON.parse(text) as Omit<Given, 'status'>)
  return { ...(videoId ? { id: videoId } : {}), ...answer, status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]) }
}

const percent = (name: Buffer) => [...name].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
const quoted = (name: Buffer) => name.toString('latin1').replace(/["\\]/g, '\\$&')
const form = (parameter: string, bytes: Buffer): [string, string, Record<string, string>, Buffer] => {
  const head = Buffer.from(
    `--x\r\ncontent-disposition: form-data; name="file"; ${parameter}\r\ncontent-type: video/mp4\r\n\r\n`,
    'latin1',
  )
  const body = Buffer.concat([head, bytes, Buffer.from('\r\n--x--\r\n')])
  return ['POST', VIDEOS, { 'content-type': 'multipart/form-data; boundary=x' }, body]
}

/** Every way in, by the bytes of the name. */
const WAYS: Record<string, (name: Buffer, bytes: Buffer) => Promise<Given>> = {
  PUT: (name, bytes) => raw('PUT', `${VIDEOS}/${percent(name)}`, {}, bytes),
  'form, filename': (name, bytes) => raw(...form(`filename="${quoted(name)}"`, bytes)),
  'form, filename*': (name, bytes) => raw(...form(`filename*=utf-8''${percent(name)}`, bytes)),
  tus: async (name, bytes) => {
    const answer = await raw(
      'POST',
      `${VIDEOS}/uploads`,
      {
        'tus-resumable': '1.0.0',
        'content-type': 'application/offset+octet-stream',
        'upload-length': String(bytes.length),
        'upload-metadata': `filename ${name.toString('base64')}`,
      },
      bytes,
    )
    const video = typeof answer.id === 'string' ? await get(VideoRecords).find(answer.id) : undefined
    return video === undefined ? answer : { ...answer, fileName: video.fileName }
  },
}
const ways = Object.entries(WAYS)
const everythingStored = async () => [
  ...readdirSync(data, { recursive: true }).map(String),
  ...(await heldUploads(data)),
  ...(await heldObjects(data)),
]

const REFUSED: Record<string, string | Buffer> = {
  'a dot': '.',
  'two dots': '..',
  'two dots in one character': '\u2025',
  'a way up': '../clip.mp4',
  'a long way up': '../../../../etc/passwd',
  'a way up in the middle': 'a/../clip.mp4',
  'an absolute path': '/etc/clip.mp4',
  'a path of Windows': 'C:\\clip.mp4',
  'a way up in Windows': '..\\..\\clip.mp4',
  'a full-width slash': 'a\uFF0Fclip.mp4',
  'a full-width backslash': 'a\uFF3Cclip.mp4',
  'a sign that holds a slash': '\u2100.mp4',
  NUL: 'clip.mp4\0.txt',
  'a tab': 'clip\t.mp4',
  'an escape': 'clip\u001B[2J.mp4',
  DEL: 'clip\u007F.mp4',
  'a control of Latin-1': 'clip\u0085.mp4',
  'a turn of direction': 'clip\u202Egpj.mp4',
  'an isolate': '\u2066clip\u2069.mp4',
  'a mark of direction': '\u200Fclip.mp4',
  'an Arabic mark': '\u061Cclip.mp4',
  '201 bytes': 'c'.repeat(201),
  '202 bytes in 101 characters': 'é'.repeat(101),
  '255 bytes': 'c'.repeat(255),
  '4,000 bytes': '事'.repeat(1333),
  nothing: '',
  'a blank': ' ',
  'a blank of no width': 'clip\u200B.mp4',
  'a mark of byte order': '\uFEFFclip.mp4',
  'an end of a line': 'clip\u2028.mp4',
}

describe('a hostile name', () => {
  it.each(Object.entries(REFUSED))('is refused by all ways alike: %s', async (_, name) => {
    const before = await everythingStored()
    for (const [way, send] of ways) {
      // Without a name it is the path of forms, and no route for a file.
      if (way === 'PUT' && name.length === 0) continue
      const { status, code } = await send(Buffer.from(name), videoBytes(2000))
      expect([way, status, code]).toEqual([way, 400, 'invalid_file_name'])
    }
    expect(await everythingStored()).toEqual(before)
  })

  it('is refused by all ways when it is no UTF-8: overlong forms, halves of pairs, cut sequences', async () => {
    const before = await everythingStored()
    const broken = ['c0ae c0ae', 'c0af', 'e080af', 'f08080af', 'eda080', 'ff', 'c3', 'e4ba'].map((hex) =>
      Buffer.concat([Buffer.from('a'), Buffer.from(hex.replaceAll(' ', ''), 'hex'), Buffer.from('.mp4')]),
    )
    for (const name of broken) {
      for (const [way, send] of ways) {
        const { status, code } = await send(name, videoBytes(2000))
        // An address that is not in UTF-8 is no name at all.
        expect([way, status, code]).toEqual([way, 400, way === 'PUT' ? 'invalid_request' : 'invalid_file_name'])
      }
    }
    expect(await everythingStored()).toEqual(before)
  })

  it('cannot smuggle a line into the head of a form', async () => {
    const answer = await raw(...form('filename="a.mp4\nx-evil: 1"', videoBytes(2000)))
    expect(answer.status).toBe(400)
  })
})

const TAKEN: Record<string, string> = {
  'percent signs that name a slash': 'a%2fb.mp4',
  'percent signs that name a backslash': 'a%5cb.mp4',
  'percent signs that name dots': '%2e%2e',
  'percent signs twice': '%252e%252e%252fb.mp4',
  'a device of Windows': 'CON',
  'a device of Windows with an ending': 'nul.mp4',
  'a stream of Windows': 'clip.mp4:hidden',
  'a dot and a blank at the end': 'clip.mp4. ',
  'what begins with a dot': '.htaccess',
  'what begins with a dash': '-rf',
  'a shell': '$(touch x); `id` | cat > *.mp4',
  quotes: `a"b'c.mp4`,
  markup: '<img src=x onerror=alert(1)>.mp4',
  'a formula': '=1+1.mp4',
  SQL: `'; DROP TABLE videos; --`,
  'a pattern': 'clip-%03d.mp4',
  'a protocol': 'concat:a|b',
  'three dots': '...',
  'a name of the store': 'uploads',
  'what was made from videos': 'derived',
  'a name of an object': '__proto__',
  '200 bytes': 'c'.repeat(200),
  '200 bytes in any script': '事'.repeat(66),
  emoji: '🚚💥.mp4',
  'joined emoji': '👩\u200D🚒.mp4',
}

describe('an odd name', () => {
  it.each(Object.entries(TAKEN))('is data, and one file by all ways: %s', async (_, name) => {
    const bytes = videoBytes(2000)
    const answers: Array<readonly [string, Given]> = []
    for (const [way, send] of ways) answers.push([way, await send(Buffer.from(name), bytes)])
    expect(answers.map(([way, { fileName }]) => [way, fileName])).toEqual(ways.map(([way]) => [way, name]))
    expect(new Set(answers.map(([, { id }]) => id)).size).toBe(1)
    const [first, ...others] = answers.map(([, { status }]) => status)
    expect([first, new Set(others)]).toEqual([201, new Set([200, 201])]) // tus always creates
    const found = await get(VideoRecords).findByName(imei, name)
    const stream = await get(BlobStore).read(`${imei}/${name}`)
    expect([found?.sha256, sha256Of(Buffer.concat((await stream?.toArray()) ?? []))]).toEqual([
      sha256Of(bytes),
      sha256Of(bytes),
    ])
  })

  it('stays below the directory of objects', async () => {
    const outside = readdirSync(data).filter((name) => name !== 'blobs')
    expect(outside.filter((name) => /clip|CON|nul|htaccess|mp4|passwd/.test(name))).toEqual([])
    expect(await heldObjects(data, imei)).toHaveLength(Object.keys(TAKEN).length)
  })

  it('is one name in all forms of its accents, whichever way it comes', async () => {
    const bytes = videoBytes(2000)
    const [composed, decomposed] = ['Fahrt \u00E4\u1EC7.mp4', 'Fahrt a\u0308e\u0323\u0302.mp4']
    const ids = new Set<unknown>()
    for (const name of [composed, decomposed]) {
      for (const [, send] of ways) {
        const answer = await send(Buffer.from(name), bytes)
        expect(answer.fileName).toBe(composed)
        ids.add(answer.id)
      }
    }
    expect(ids.size).toBe(1)
    for (const [way, send] of ways) {
      const other = await send(Buffer.from(decomposed), videoBytes(2000))
      expect([way, other.status, other.code]).toEqual([way, way === 'tus' ? 422 : 409, 'file_exists'])
    }
    const list = await running.api.all<{ id: string }>(
      `${VIDEOS}?fileName=${encodeURIComponent(decomposed)}`,
      running.admin,
    )
    expect(list.map(({ id }) => id)).toEqual([...ids])
  })

  it('is another one in another case', async () => {
    expect((await WAYS.PUT?.(Buffer.from('Case.MP4'), videoBytes(2000)))?.status).toBe(201)
    expect((await WAYS.PUT?.(Buffer.from('case.mp4'), videoBytes(2000)))?.status).toBe(201)
  })

  it('may be long in one form of its accents and fit in the other', async () => {
    const name = 'e\u0323\u0302'.repeat(60) // 300 bytes as it is sent, 180 in NFC
    for (const [, send] of ways) {
      expect((await send(Buffer.from(name), videoBytes(2000))).code ?? 'file_exists').toBe('file_exists')
    }
    expect(await get(VideoRecords).findByName(imei, name.normalize('NFC'))).toBeDefined()
  })
})

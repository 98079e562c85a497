import { generateKeyPairSync } from 'node:crypto'
import { SignJWT } from 'jose'
import { TOKEN_KINDS } from '../src/identity/tokens.js'
import type { Video } from '../src/model/video.js'
import { testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { ADMIN_PASSWORD } from './support/server-process.js'
import { StoredVideos, VIDEOS } from './support/stored-videos.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { connectSocket, type Refused } from './support/unit-socket.js'

const CONTENT = Buffer.from('0123456789')
const PICTURE = Buffer.from('a picture')

interface Links {
  readonly content: string
  readonly thumbnail: string | null
  readonly screenshots: string[]
  readonly expiresAt: string
}

const directory = temporaryDirectory()
let running: RunningApp
let video: Video
let other: Video

/** A key of the test's, so that it can sign what a server with this key would. */
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const key = (kid: string, of = privateKey) => ({ ...of.export({ format: 'jwk' }), kid })
const start = (keys: object[]) =>
  startApp({ DATA_DIR: directory, DEVICE_ENROLMENT: 'open', SIGNING_KEYS: JSON.stringify({ keys }) })

beforeAll(async () => {
  running = await start([key('ours')])
  const stored = new StoredVideos(running)
  video = await stored.add({ content: CONTENT, thumbnail: PICTURE, screenshots: [PICTURE, PICTURE, PICTURE] })
  other = await stored.add({ thumbnail: PICTURE })
})
afterAll(async () => {
  await running.close()
  await removeTemporaryDirectories()
})

const sign = async (id: string, token = running.admin): Promise<Links> => {
  const { status, body, text } = await running.api.post<Links & Record<string, unknown>>(
    `${VIDEOS}/${id}/link`,
    undefined,
    token,
  )
  if (status !== 200) throw new Error(text)
  return body
}

const open = async (path: string, headers: Record<string, string> = {}) => {
  const { status, body, text } = await running.api.request('GET', path, { headers })
  return status < 400 ? [status, text] : [status, body.code]
}

describe('POST /videos/{id}/link', () => {
  it('answers URLs that need no header, for ten minutes', async () => {
    const before = Date.now()
    const links = await sign(video.id)
    expect(Object.keys(links)).toEqual(['content', 'thumbnail', 'screenshots', 'expiresAt'])
    expect(await open(links.content)).toEqual([200, '0123456789'])
    expect(await open(`${links.content}&download=1`, { range: 'bytes=2-3' })).toEqual([206, '23'])
    for (const picture of [links.thumbnail ?? '', ...links.screenshots]) {
      expect(await open(picture)).toEqual([200, 'a picture'])
    }
    expect(links.screenshots.map((url) => url.split('?')[0])).toEqual(
      [1, 2, 3].map((number) => `${VIDEOS}/${video.id}/screenshots/${number}`),
    )
    const goodForMs = Date.parse(links.expiresAt) - before
    expect(goodForMs).toBeGreaterThan(598_000)
    expect(goodForMs).toBeLessThanOrEqual(600_000)
    expect((await fetch(`${running.url}${links.content}`, { method: 'HEAD' })).status).toBe(200)
  })

  it('names no pictures that are not made', async () => {
    expect(await sign((await new StoredVideos(running).add()).id)).toMatchObject({ thumbnail: null, screenshots: [] })
  })

  it('is for every user, and for no unit', async () => {
    const body = { username: 'vera', password: ADMIN_PASSWORD, role: 'viewer' }
    await running.api.post('/api/v1/users', body, running.admin)
    const viewer = await running.api.login('vera', ADMIN_PASSWORD)
    expect(await open((await sign(video.id, viewer)).content)).toEqual([200, '0123456789'])
    const device = await running.api.loginDevice(testImei(1))
    const refused = await running.api.post(`${VIDEOS}/${video.id}/link`, undefined, device)
    expect([refused.status, refused.body.code]).toEqual([401, 'token_invalid'])
    expect((await running.api.post(`${VIDEOS}/nothing/link`, undefined, viewer)).body.code).toBe('not_found')
  })
})

describe('a signed link', () => {
  const tokenOf = (url: string) => new URL(url, running.url).searchParams.get('link') ?? ''

  it('opens nothing else: no other video, no other picture, no other route, no socket', async () => {
    const links = await sign(video.id)
    const token = tokenOf(links.content)
    const invalid = [401, 'token_invalid']
    for (const path of [
      `${VIDEOS}/${other.id}/content`,
      `${VIDEOS}/${video.id}/thumbnail`,
      `${VIDEOS}/${video.id}/screenshots/1`,
      `${VIDEOS}/${video.id}/conten%74`,
    ]) {
      expect([path, await open(`${path}?link=${token}`)]).toEqual([path, invalid])
    }
    expect(await open(`${VIDEOS}/${video.id}/screenshots/2?link=${tokenOf(links.screenshots[0] ?? '')}`)).toEqual(
      invalid,
    )
    expect(await open(`${VIDEOS}/${video.id}?link=${token}`)).toEqual([401, 'token_missing'])
    expect(await open(`${VIDEOS}/${video.id}/content`, { authorization: `Bearer ${token}` })).toEqual(invalid)
    expect(await open('/api/v1/auth/me', { authorization: `Bearer ${token}` })).toEqual(invalid)
    for (const namespace of ['', '/live']) {
      const refused = connectSocket(`${running.url}${namespace}`, { token }).catch((error: Refused) => error.code)
      expect(await refused).toBe('token_invalid')
    }
  })

  it('is not made of a token of a user or a unit', async () => {
    const device = await running.api.loginDevice(testImei(1))
    for (const token of [running.admin, device, 'rubbish', `${tokenOf((await sign(video.id)).content)}x`]) {
      expect(await open(`${VIDEOS}/${video.id}/content?link=${token}`)).toEqual([401, 'token_invalid'])
    }
    expect(await open(`${VIDEOS}/${video.id}/content`)).toEqual([401, 'token_missing'])
    expect(await open(`${VIDEOS}/${video.id}/content?link=`)).toEqual([401, 'token_missing'])
  })

  it('expires, and is not believed when it is of another kind or key', async () => {
    const path = `${VIDEOS}/${video.id}/content`
    const nowS = Math.floor(Date.now() / 1000)
    const forge = async (changes: { typ?: string; aud?: string; exp?: number; kid?: string }, by = privateKey) => {
      const { typ = TOKEN_KINDS.link.type, aud = TOKEN_KINDS.link.audience, exp = nowS + 60, kid = 'ours' } = changes
      const jwt = new SignJWT({ sub: path, aud, iat: nowS - 700, exp }).setProtectedHeader({ alg: 'ES256', kid, typ })
      return open(`${path}?link=${await jwt.sign(by)}`)
    }
    expect(await forge({})).toEqual([200, '0123456789'])
    expect(await forge({ exp: nowS - 1 })).toEqual([401, 'token_expired'])
    expect(await forge({ typ: TOKEN_KINDS.user.type })).toEqual([401, 'token_invalid'])
    expect(await forge({ aud: TOKEN_KINDS.user.audience })).toEqual([401, 'token_invalid'])
    expect(await forge({ kid: 'stranger' })).toEqual([401, 'token_invalid'])
    const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    expect(await forge({}, stranger)).toEqual([401, 'token_invalid'])
  })

  it('outlives the session of who asked for it, a restart and a rotation of keys, and ends with the key', async () => {
    const session = await running.api.login('admin', ADMIN_PASSWORD)
    const { content } = await sign(video.id, session)
    await running.api.post('/api/v1/auth/logout', undefined, session)
    expect(await open(content)).toEqual([200, '0123456789'])
    await running.close()
    const newer = key('newer', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
    running = await start([newer, key('ours')])
    expect(await open(content)).toEqual([200, '0123456789'])
    expect(await open((await sign(video.id)).content)).toEqual([200, '0123456789'])
    await running.close()
    running = await start([newer])
    expect(await open(content)).toEqual([401, 'token_invalid'])
  })
})

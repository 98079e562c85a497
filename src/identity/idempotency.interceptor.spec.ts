import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Body, Controller, HttpCode, Param, Post, Res } from '@nestjs/common'
import type { FastifyReply } from 'fastify'
import { IdentityApp } from '../../test/support/identity-app.js'
import { AppError } from '../model/app-error.js'
import type { IdempotencyRecord } from '../storage/sql/idempotency-records.js'
import { AnyQuery } from '../web/unknown-parameters.interceptor.js'
import { ForUsers } from './access.js'
import { Idempotent } from './idempotent.js'

const SECRET = 'a secret that is shown once'

/** What the routes below were called with, and what happens in the next call. */
const made: unknown[] = []
let next: () => Promise<void> = async () => undefined

@Controller('things')
class ThingsController {
  @Post()
  @AnyQuery()
  @ForUsers('viewer')
  @Idempotent()
  async make(@Body() body: unknown, @Res({ passthrough: true }) reply: FastifyReply) {
    await next()
    made.push(body)
    void reply.header('location', `/things/${made.length}`)
    return { number: made.length, secret: SECRET }
  }

  @Post(':id/nothing')
  @HttpCode(204)
  @ForUsers('viewer')
  @Idempotent()
  makeNothing(@Param('id') id: string) {
    made.push(id)
  }
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await sleep(50)
}

describe('IdempotencyInterceptor', () => {
  let identity: IdentityApp
  let token: string
  let key: string
  let count = 0

  beforeAll(async () => {
    identity = await IdentityApp.open({ controllers: [ThingsController] })
    token = (await identity.login()).accessToken
  })

  afterAll(() => identity.close())

  beforeEach(() => {
    count += 1
    key = `key-${count}`
    made.length = 0
    next = async () => undefined
  })

  afterEach(() => jest.restoreAllMocks())

  const post = (body: unknown, url = '/things', as = token) =>
    identity.call('POST', url, { body, token: as, headers: { 'idempotency-key': key } })

  it('answers a repeat as the first, without doing it again', async () => {
    const first = await post({ a: 1 })
    const second = await post({ a: 1 })
    expect(first).toMatchObject({ status: 201, json: { number: 1, secret: SECRET } })
    expect(first.headers['idempotent-replayed']).toBeUndefined()
    expect([second.status, second.text]).toEqual([first.status, first.text])
    for (const name of ['content-type', 'location']) expect(second.headers[name]).toBe(first.headers[name])
    expect(second.headers['idempotent-replayed']).toBe('true')
    expect(made).toEqual([{ a: 1 }])
  })

  it('does everything again without a key', async () => {
    for (let n = 0; n < 2; n++) await identity.call('POST', '/things', { body: { a: 1 }, token })
    expect(made).toEqual([{ a: 1 }, { a: 1 }])
  })

  it('answers a repeat after a restart too', async () => {
    await post({ a: 1 })
    await identity.restart()
    const again = await post({ a: 1 })
    expect([again.status, again.json, made.length]).toEqual([201, { number: 1, secret: SECRET }, 1])
  })

  it('stores neither the key nor the answer where it could be read', async () => {
    const claim = jest.spyOn(identity.records.idempotency, 'claim')
    const complete = jest.spyOn(identity.records.idempotency, 'complete')
    await post({ a: 1 })
    expect(JSON.stringify(claim.mock.calls).includes(key)).toBe(false)
    const [scopeHash, status, sealed] = complete.mock.calls[0] ?? []
    expect([scopeHash?.length, status]).toEqual([64, 201])
    expect(Buffer.from(sealed ?? '', 'base64').includes('secret')).toBe(false)
  })

  it('keeps of a body only what nobody without this server can compare it with', async () => {
    const claim = jest.spyOn(identity.records.idempotency, 'claim')
    await post({ password: 'short' })
    const bare = (text: string) => createHash('sha256').update(text).digest('hex')
    const [{ bodyHash }] = claim.mock.calls[0] as [{ bodyHash: string }]
    const text = JSON.stringify({ password: 'short' })
    expect(bodyHash).toMatch(/^[0-9a-f]{64}$/)
    expect([bare(text), bare(`\n${text}`)]).not.toContain(bodyHash)
  })

  it('tells nobody the answers of somebody who had the same name', async () => {
    const first = await post({ a: 1 }, '/things', await identity.addUser('twin', 'admin'))
    await identity.call('DELETE', '/api/v1/users/twin', { token })
    const other = await post({ a: 1 }, '/things', await identity.addUser('twin', 'admin'))
    expect([first.status, other.status, other.headers['idempotent-replayed']]).toEqual([201, 201, undefined])
    expect(made).toHaveLength(2)
  })

  it('refuses another body, or another query, under the same key', async () => {
    await post({ a: 1 })
    for (const other of [await post({ a: 2 }), await post({ a: 1 }, '/things?b=1')]) {
      expect([other.status, other.json.code]).toEqual([422, 'idempotency_key_reused'])
    }
    expect(made).toEqual([{ a: 1 }])
  })

  it('refuses a body that is nested too deep to be compared', async () => {
    const body = `${'['.repeat(50_000)}${']'.repeat(50_000)}`
    const headers = { 'idempotency-key': key, 'content-type': 'application/json' }
    const { status, json } = await identity.call('POST', '/things', { body, token, headers })
    expect([status, json.code]).toEqual([400, 'invalid_request'])
    expect(made).toEqual([])
  })

  it('tells users, paths and keys apart', async () => {
    await post({ a: 1 })
    await post({ a: 1 }, '/things', await identity.addUser('anna', 'viewer'))
    const nothing = [await post(undefined, '/things/7/nothing'), await post(undefined, '/things/7/nothing')]
    expect(nothing.map(({ status, text }) => [status, text])).toEqual([
      [204, ''],
      [204, ''],
    ])
    await post(undefined, '/things/8/nothing')
    key = `${key}-other`
    await post({ a: 1 })
    expect(made).toEqual([{ a: 1 }, { a: 1 }, '7', '8', { a: 1 }])
  })

  it('says that the first one is still running', async () => {
    let finish = (): void => undefined
    const running = new Promise<void>((started) => {
      next = () => {
        started()
        return new Promise((resolve) => {
          finish = resolve
        })
      }
    })
    const first = post({ a: 1 })
    await running
    const second = await post({ a: 1 })
    expect([second.status, second.json.code, second.headers['retry-after']]).toEqual([
      409,
      'idempotency_in_progress',
      '1',
    ])
    finish()
    expect((await first).status).toBe(201)
    expect((await post({ a: 1 })).headers['idempotent-replayed']).toBe('true')
  })

  it('lets one of many at once through', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => post({ a: 1 })))
    expect(made).toEqual([{ a: 1 }])
    expect(answers.filter(({ status }) => status === 201).length).toBeGreaterThanOrEqual(1)
    expect(answers.every(({ status }) => status === 201 || status === 409)).toBe(true)
  })

  it('repeats a refusal that would come again, word for word', async () => {
    next = async () => {
      throw new AppError('device_exists', 'There is one', { errors: [{ path: 'a', code: 'missing', message: 'c' }] })
    }
    const first = await post({ a: 1 })
    next = async () => undefined
    const second = await post({ a: 1 })
    expect(first.status).toBe(409)
    const shown = ({ status, text, headers }: typeof first) => [status, text, headers['content-type']]
    expect(shown(second)).toEqual(shown(first))
    expect(made).toEqual([])
  })

  it.each([
    ['store_unavailable', 503],
    ['too_many_requests', 429],
    ['internal', 500],
  ] as const)('gives the key back after %s', async (code, status) => {
    next = async () => {
      throw new AppError(code)
    }
    expect((await post({ a: 1 })).status).toBe(status)
    next = async () => undefined
    expect((await post({ a: 2 })).status).toBe(201)
  })

  it('gives the key back after a defect', async () => {
    next = async () => {
      throw new TypeError('a defect')
    }
    expect((await post({ a: 1 })).json.code).toBe('internal')
    next = async () => undefined
    expect((await post({ a: 1 })).status).toBe(201)
  })

  it('gives back, at the next start, keys that a killed process held', async () => {
    jest.spyOn(identity.records.idempotency, 'complete').mockRejectedValueOnce(new Error('killed'))
    expect((await post({ a: 1 })).status).toBe(201)
    await identity.restart()
    const again = await post({ a: 1 })
    expect([again.status, again.headers['idempotent-replayed'], made.length]).toEqual([201, undefined, 2])
  })

  describe('when the answer of the store is lost', () => {
    const away = () => new AppError('store_unavailable')

    it('gives a key that may have been claimed to the repeat', async () => {
      const { idempotency } = identity.records
      const claim = idempotency.claim.bind(idempotency)
      jest.spyOn(idempotency, 'claim').mockImplementationOnce(async (record) => {
        await claim(record)
        throw away()
      })
      expect((await post({ a: 1 })).json.code).toBe('store_unavailable')
      expect([(await post({ a: 2 })).status, made]).toEqual([201, [{ a: 2 }]])
    })

    it('gives a key that could not be given back to the repeat', async () => {
      jest.spyOn(identity.records.idempotency, 'release').mockRejectedValueOnce(away())
      next = async () => {
        throw away()
      }
      expect((await post({ a: 1 })).json.code).toBe('store_unavailable')
      next = async () => undefined
      expect([(await post({ a: 1 })).status, made]).toEqual([201, [{ a: 1 }]])
    })

    it('answers repeats from memory until the answer is kept, and does nothing twice', async () => {
      const { idempotency } = identity.records
      const complete = jest.spyOn(idempotency, 'complete').mockRejectedValue(away())
      const claim = jest.spyOn(idempotency, 'claim')
      const first = await post({ a: 1 })
      const [claimed] = claim.mock.calls[0] as [IdempotencyRecord]
      claim.mockRejectedValue(away())
      const second = await post({ a: 1 })
      expect([second.status, second.text, second.headers['idempotent-replayed']]).toEqual([201, first.text, 'true'])
      expect((await post({ a: 2 })).json.code).toBe('idempotency_key_reused')
      claim.mockRestore()
      complete.mockRestore()
      await until(async () => (await idempotency.claim(claimed))?.status === 201)
      await identity.restart()
      const third = await post({ a: 1 })
      expect([third.status, third.text, made]).toEqual([201, first.text, [{ a: 1 }]])
    }, 20_000)
  })

  it('leaves keys alone that another server holds, also when this one starts, for as long as a request may take', async () => {
    const claim = jest.spyOn(identity.records.idempotency, 'claim')
    await post({ a: 1 })
    const [record] = claim.mock.calls[0] as [IdempotencyRecord]
    claim.mockRestore()
    await identity.records.idempotency.removeOlderThan(Date.now() + 1)
    await identity.records.idempotency.claim({ ...record, owner: 'another' })
    await identity.restart()
    expect((await post({ a: 1 })).json.code).toBe('idempotency_in_progress')
    const clock = jest.spyOn(Date, 'now').mockReturnValue(record.createdAtMs + 599_999)
    expect((await post({ a: 1 })).json.code).toBe('idempotency_in_progress')
    clock.mockReturnValue(record.createdAtMs + 600_000)
    const freed = await post({ a: 1 })
    clock.mockRestore()
    expect([freed.status, made]).toEqual([201, [{ a: 1 }, { a: 1 }]])
  })

  it('forgets a key after 24 hours', async () => {
    const clock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() - 86_400_000)
    await post({ a: 1 })
    clock.mockRestore()
    expect((await post({ a: 2 })).status).toBe(201)
    expect(made).toEqual([{ a: 1 }, { a: 2 }])
  })

  it.each(['', 'x'.repeat(256)])('refuses a key that is none', async (wrong) => {
    key = wrong
    const { status, json } = await post({ a: 1 })
    expect([status, json.code, made.length]).toEqual([400, 'invalid_request', 0])
  })
})

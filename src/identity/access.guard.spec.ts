import { Controller, Get, Query } from '@nestjs/common'
import { z } from 'zod'
import { IdentityApp } from '../../test/support/identity-app.js'
import {
  CurrentDeviceId,
  CurrentUser,
  ForDevices,
  ForUsers,
  ForUsersOrLink,
  Public,
  type UserCaller,
} from './access.js'
import { DeviceDirectory } from './device-directory.js'
import { TokenIssuer } from './tokens.js'

const IMEI = '356307042441013'

@Controller('things')
class ThingsController {
  @Get('public')
  @Public()
  public() {
    return {}
  }

  @Get('device')
  @ForDevices()
  device(@CurrentDeviceId() deviceId: string) {
    return { deviceId }
  }

  @Get('viewer')
  @ForUsers('viewer')
  viewer(@CurrentUser() { username, role }: UserCaller) {
    return { username, role }
  }

  @Get('operator')
  @ForUsers('operator')
  operator() {
    return {}
  }

  @Get('linked')
  @ForUsersOrLink('operator')
  linked(@Query({ schema: z.strictObject({ link: z.string().optional() }) }) _: unknown) {
    return {}
  }

  @Get('admin')
  @ForUsers('admin')
  admin() {
    return {}
  }
}

@Controller('forgotten')
class ForgottenController {
  @Get()
  open() {
    return {}
  }
}

describe('AccessGuard', () => {
  let identity: IdentityApp

  beforeAll(async () => {
    identity = await IdentityApp.open({ controllers: [ThingsController] })
    await identity.addDevice(IMEI)
  })

  afterAll(() => identity.close())

  async function outcome(path: string, headers: Record<string, string> = {}): Promise<unknown[]> {
    const { status, json, headers: answered } = await identity.call('GET', `/things/${path}`, { headers })
    return [status, json.code ?? json, answered['www-authenticate']]
  }

  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

  it('asks for a token, and for the right kind, in the words of the contract', async () => {
    const user = (await identity.login()).accessToken
    const device = await identity.loginDevice(IMEI)
    expect(await outcome('public')).toEqual([200, {}, undefined])
    expect(await outcome('device')).toEqual([401, 'token_missing', 'Bearer'])
    expect(await outcome('viewer')).toEqual([401, 'token_missing', 'Bearer'])
    expect(await outcome('viewer', { authorization: 'Basic YQ==' })).toEqual([401, 'token_missing', 'Bearer'])
    const invalid = [401, 'token_invalid', 'Bearer error="invalid_token"']
    expect(await outcome('viewer', bearer('rubbish'))).toEqual(invalid)
    expect(await outcome('device', bearer(user))).toEqual(invalid)
    expect(await outcome('viewer', bearer(device))).toEqual(invalid)
    expect(await outcome('device', bearer(device))).toEqual([200, { deviceId: IMEI }, undefined])
    expect(await outcome('viewer', bearer(user))).toEqual([200, { username: 'admin', role: 'admin' }, undefined])
    expect(await outcome('viewer', { authorization: `bearer ${user}` })).toHaveProperty('0', 200)
  })

  it('lets a role do what lower roles may, and no more', async () => {
    const statuses: Record<string, number[]> = {}
    for (const role of ['viewer', 'operator', 'admin']) {
      const token = await identity.addUser(`some-${role}`, role)
      const answers = ['viewer', 'operator', 'admin'].map((path) => identity.call('GET', `/things/${path}`, { token }))
      statuses[role] = (await Promise.all(answers)).map(({ status }) => status)
    }
    expect(statuses).toEqual({ viewer: [200, 403, 403], operator: [200, 200, 403], admin: [200, 200, 200] })
  })

  it('acts at once on a new role, and on a user who is disabled', async () => {
    const token = bearer(await identity.addUser('anna', 'operator'))
    const { accessToken } = await identity.login()
    const change = (body: unknown) => identity.call('PATCH', '/api/v1/users/anna', { body, token: accessToken })
    expect((await outcome('operator', token))[0]).toBe(200)
    await change({ role: 'viewer' })
    expect((await outcome('operator', token)).slice(0, 2)).toEqual([403, 'forbidden'])
    await change({ disabled: true })
    expect((await outcome('viewer', token)).slice(0, 2)).toEqual([401, 'token_invalid'])
  })

  it('acts at once on a device that is disabled', async () => {
    await identity.addDevice('490154203237518')
    const token = bearer(await identity.loginDevice('490154203237518'))
    expect((await outcome('device', token))[0]).toBe(200)
    const device = await identity.records.devices.update('490154203237518', { status: 'disabled' })
    if (device !== undefined) identity.get(DeviceDirectory).put(device)
    expect((await outcome('device', token)).slice(0, 2)).toEqual([401, 'token_invalid'])
  })

  it('lets a signed link open its own path, where the route says so and nobody says who asks', async () => {
    const linkTo = async (path: string) => (await identity.get(TokenIssuer).issueLink(`/things/${path}`)).token
    const link = await linkTo('linked')
    const viewer = bearer(await identity.addUser('eva', 'viewer'))
    const { accessToken } = await identity.login()
    expect(await outcome(`linked?link=${link}`)).toEqual([200, {}, undefined])
    expect((await outcome('linked'))[1]).toBe('token_missing')
    expect((await outcome('linked?link='))[1]).toBe('token_missing')
    for (const wrong of ['rubbish', await linkTo('viewer'), accessToken, `${link}&link=${link}`]) {
      expect((await outcome(`linked?link=${wrong}`)).slice(0, 2)).toEqual([401, 'token_invalid'])
    }
    expect((await outcome(`linked?link=${link}`, viewer)).slice(0, 2)).toEqual([403, 'forbidden'])
    expect((await outcome(`linked?link=${await linkTo('viewer')}`, bearer(accessToken)))[0]).toBe(200)
    expect((await outcome(`viewer?link=${await linkTo('viewer')}`))[1]).toBe('token_missing')
    expect((await outcome('viewer', bearer(await linkTo('viewer'))))[1]).toBe('token_invalid')
  })

  it('treats HEAD as GET, other methods as not allowed, other paths as not there', async () => {
    const { accessToken: token } = await identity.login()
    expect((await identity.call('HEAD', '/things/viewer')).status).toBe(401)
    expect((await identity.call('HEAD', '/things/viewer', { token })).status).toBe(200)
    const wrong = await identity.call('DELETE', '/things/viewer')
    expect([wrong.status, wrong.json.code, wrong.headers.allow]).toEqual([405, 'method_not_allowed', 'GET, HEAD'])
    expect((await identity.call('GET', '/nothing')).status).toBe(404)
  })

  it('does not start with a route that nobody decided on', async () => {
    await expect(IdentityApp.open({ controllers: [ForgottenController] })).rejects.toThrow(
      'routes without an access decorator: ForgottenController.open',
    )
  })
})

import { Body, Controller, Header, HttpCode, Post, Req, Res } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { z } from 'zod'
import { AppConfig } from '../config/app-config.js'
import { AppError } from '../model/app-error.js'
import { type DeviceId, deviceKindOf, type ImeiCheck, isImei } from '../model/device-id.js'
import { RATE_LIMIT_HEADERS } from '../web/answer-headers.js'
import { Answers, REFUSED_BODIES, Refuses } from '../web/answers.js'
import { API } from '../web/api-path.js'
import { clientAddressOf } from '../web/client-address.js'
import { setRateLimitHeaders } from '../web/rate-limit.js'
import { Public } from './access.js'
import { deviceLoginIn, deviceTokenOut } from './auth.schema.js'
import { DeviceLogin } from './device-login.js'
import { DeviceGate } from './login-gate.js'

@ApiTags('auth')
@Controller(`${API}/auth/device`)
export class DeviceAuthController {
  constructor(
    private readonly logins: DeviceLogin,
    private readonly gate: DeviceGate,
    private readonly config: AppConfig,
  ) {}

  @Post()
  @Public()
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'loginDevice',
    summary: 'Log a unit in',
    description:
      'Send `imei`, or `deviceId` for a box that has none, and `secret` if the device has one. An unknown or disabled device and a missing or wrong secret are all answered alike. Only refused logins count against the limit.',
  })
  @Answers(200, 'A device token', deviceTokenOut, RATE_LIMIT_HEADERS)
  @Refuses(...REFUSED_BODIES, 'invalid_imei', 'login_refused', 'too_many_requests', 'disk_full')
  async login(
    @Body({ schema: deviceLoginIn }) body: z.output<typeof deviceLoginIn>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<z.output<typeof deviceTokenOut>> {
    const deviceId = deviceIdOf(body, this.config.IMEI_CHECK)
    const address = clientAddressOf(request)
    try {
      const { token, expiresInS } = await this.logins.login({ deviceId, secret: body.secret ?? undefined, address })
      return { accessToken: token, tokenType: 'Bearer', expiresIn: expiresInS }
    } finally {
      const left = this.gate.allowance({ id: deviceId, address })
      if (left !== undefined) setRateLimitHeaders(reply, left)
    }
  }
}

/** @throws AppError `invalid_request`: neither id or two; `invalid_imei`: not a valid id */
function deviceIdOf(body: z.output<typeof deviceLoginIn>, check: ImeiCheck): DeviceId {
  const imei = body.imei ?? undefined
  const deviceId = body.deviceId ?? undefined
  const given = imei ?? deviceId
  if (given === undefined) throw new AppError('invalid_request', 'Send imei or deviceId')
  if (imei !== undefined && deviceId !== undefined && imei !== deviceId) {
    throw new AppError('invalid_request', 'Send either imei or deviceId')
  }
  const isId = (text: string) => (imei === undefined ? deviceKindOf(text, check) !== undefined : isImei(text, check))
  if (typeof given !== 'string' || !isId(given)) throw new AppError('invalid_imei')
  return given
}

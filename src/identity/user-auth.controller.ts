import { Body, Controller, Get, Header, HttpCode, Post, Req, Res } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { z } from 'zod'
import { RATE_LIMIT_HEADERS } from '../web/answer-headers.js'
import { Answers, REFUSED_BODIES, Refuses } from '../web/answers.js'
import { API } from '../web/api-path.js'
import { clientAddressOf } from '../web/client-address.js'
import { setRateLimitHeaders } from '../web/rate-limit.js'
import { CurrentUser, ForUsers, Public, type UserCaller } from './access.js'
import { loginIn, passwordChangeIn, refreshIn, userTokensOut, whoOut } from './auth.schema.js'
import { UserGate } from './login-gate.js'
import { UserLogin, type UserTokens } from './user-login.js'

@ApiTags('auth')
@Controller(`${API}/auth`)
export class UserAuthController {
  constructor(
    private readonly logins: UserLogin,
    private readonly gate: UserGate,
  ) {}

  @Post('login')
  @Public()
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'loginUser',
    summary: 'Log a person in',
    description:
      'The first user is `admin`; its password was printed at the first start, or is `ADMIN_PASSWORD`. An unknown or disabled user and a wrong password are answered alike. Only refused logins count against the limit.',
  })
  @Answers(200, 'An access token and a refresh token', userTokensOut, RATE_LIMIT_HEADERS)
  @Refuses(...REFUSED_BODIES, 'login_refused', 'too_many_requests')
  async login(
    @Body({ schema: loginIn }) { username, password }: z.output<typeof loginIn>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<z.output<typeof userTokensOut>> {
    return this.limited(username, request, reply, async (address) =>
      toAnswer(await this.logins.login(username, password, address)),
    )
  }

  @Post('refresh')
  @Public()
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'refreshUser',
    summary: 'Exchange a refresh token for new tokens',
    description:
      'Each refresh token is good for one exchange. One that is used twice was stolen by somebody: its whole session ends. After an error that is to be tried again, such as `store_unavailable`, the same token may be sent again within 30 seconds.',
  })
  @Answers(200, 'An access token and the next refresh token', userTokensOut)
  @Refuses(...REFUSED_BODIES, 'token_invalid')
  async refresh(
    @Body({ schema: refreshIn }) { refreshToken }: z.output<typeof refreshIn>,
    @Req() request: FastifyRequest,
  ): Promise<z.output<typeof userTokensOut>> {
    return toAnswer(await this.logins.refresh(refreshToken, clientAddressOf(request)))
  }

  @Post('logout')
  @ForUsers('viewer')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'logoutUser',
    summary: 'End the session',
    description: 'Ends its tokens of both kinds.',
  })
  @Answers(204, 'Ended')
  async logout(@CurrentUser() user: UserCaller, @Req() request: FastifyRequest): Promise<void> {
    await this.logins.logout(user, clientAddressOf(request))
  }

  @Get('me')
  @ForUsers('viewer')
  @ApiOperation({ operationId: 'getMe', summary: 'Who am I', description: 'The user and role of the token.' })
  @Answers(200, 'The user', whoOut)
  me(@CurrentUser() { username, role }: UserCaller): z.output<typeof whoOut> {
    return { username, role }
  }

  @Post('password')
  @ForUsers('viewer')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'changePassword',
    summary: 'Change the own password',
    description: 'Ends all other sessions of the user.',
  })
  @Answers(204, 'Changed', undefined, RATE_LIMIT_HEADERS)
  @Refuses(...REFUSED_BODIES, 'login_refused', 'too_many_requests')
  async changePassword(
    @Body({ schema: passwordChangeIn }) body: z.output<typeof passwordChangeIn>,
    @CurrentUser() user: UserCaller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    await this.limited(user.username, request, reply, (address) =>
      this.logins.changePassword(user, body.current, body.new, address),
    )
  }

  private async limited<T>(
    id: string,
    request: FastifyRequest,
    reply: FastifyReply,
    work: (address: string) => Promise<T>,
  ): Promise<T> {
    const address = clientAddressOf(request)
    try {
      return await work(address)
    } finally {
      const left = this.gate.allowance({ id, address })
      if (left !== undefined) setRateLimitHeaders(reply, left)
    }
  }
}

function toAnswer({ accessToken, refreshToken, expiresInS, user }: UserTokens): z.output<typeof userTokensOut> {
  return { accessToken, refreshToken, tokenType: 'Bearer', expiresIn: expiresInS, user }
}

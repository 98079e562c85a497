import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query, Req, Res } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { Answers, REFUSED_BODIES, Refuses } from '../web/answers.js'
import { API } from '../web/api-path.js'
import { clientAddressOf } from '../web/client-address.js'
import { Cursors } from '../web/cursor.js'
import { CurrentUser, ForUsers, type UserCaller } from './access.js'
import { Idempotent } from './idempotent.js'
import { Users } from './users.js'
import { toUserJson, userChangeIn, userCreateIn, userListIn, userNameParam, userOut, usersOut } from './users.schema.js'

const cursors = new Cursors('users', z.string())

@ApiTags('users')
@Controller(`${API}/users`)
export class UsersController {
  constructor(private readonly users: Users) {}

  @Get()
  @ForUsers('admin')
  @ApiOperation({ operationId: 'listUsers', summary: 'List users', description: 'In the order of their names.' })
  @Answers(200, 'One page', usersOut)
  @Refuses('invalid_request', 'unknown_parameter', 'invalid_cursor')
  async list(
    @Query({ schema: userListIn }) { limit, cursor }: z.output<typeof userListIn>,
  ): Promise<z.output<typeof usersOut>> {
    const afterUsername = cursors.decode(cursor)
    const rows = await this.users.list({ afterUsername, limit: limit + 1 })
    return cursors.page(rows, limit, ({ username }) => username, toUserJson)
  }

  @Post()
  @ForUsers('admin')
  @Idempotent()
  @ApiOperation({
    operationId: 'createUser',
    summary: 'Create a user',
    description: 'Names and passwords are yours to choose.',
  })
  @Answers(201, 'Created', userOut, ['Location'])
  @Refuses(...REFUSED_BODIES, 'user_exists')
  async create(
    @Body({ schema: userCreateIn }) body: z.output<typeof userCreateIn>,
    @CurrentUser() caller: UserCaller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<z.output<typeof userOut>> {
    const user = await this.users.create(body, { caller, address: clientAddressOf(request) })
    void reply.header('location', `/${API}/users/${encodeURIComponent(user.username)}`)
    return toUserJson(user)
  }

  @Get(':username')
  @ForUsers('admin')
  @ApiOperation({ operationId: 'getUser', summary: 'Get a user', description: 'Names compare byte by byte.' })
  @Answers(200, 'The user', userOut)
  @Refuses('not_found')
  async get(@Param('username', { schema: userNameParam }) username: string): Promise<z.output<typeof userOut>> {
    return toUserJson(await this.users.get(username))
  }

  @Patch(':username')
  @ForUsers('admin')
  @ApiOperation({
    operationId: 'changeUser',
    summary: 'Change a user',
    description:
      'A new password or `disabled: true` ends all sessions of the user at once; a new role acts on them at once. The last enabled admin can neither be disabled nor given another role.',
  })
  @Answers(200, 'The user after the change', userOut)
  @Refuses(...REFUSED_BODIES, 'not_found', 'last_admin')
  async change(
    @Param('username', { schema: userNameParam }) username: string,
    @Body({ schema: userChangeIn }) changes: z.output<typeof userChangeIn>,
    @CurrentUser() caller: UserCaller,
    @Req() request: FastifyRequest,
  ): Promise<z.output<typeof userOut>> {
    return toUserJson(await this.users.update(username, changes, { caller, address: clientAddressOf(request) }))
  }

  @Delete(':username')
  @ForUsers('admin')
  @HttpCode(204)
  @ApiOperation({ operationId: 'deleteUser', summary: 'Delete a user', description: 'The last enabled admin stays.' })
  @Answers(204, 'Deleted')
  @Refuses('not_found', 'last_admin')
  async delete(
    @Param('username', { schema: userNameParam }) username: string,
    @CurrentUser() caller: UserCaller,
    @Req() request: FastifyRequest,
  ): Promise<void> {
    await this.users.delete(username, { caller, address: clientAddressOf(request) })
  }
}

import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common'
import { ApiHeader, ApiOperation, ApiTags } from '@nestjs/swagger'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { CurrentUser, ForUsers, type UserCaller } from '../identity/access.js'
import { idempotencyScopeOf } from '../identity/idempotency-scope.js'
import { Idempotent } from '../identity/idempotent.js'
import { hasEnded } from '../model/command.js'
import type { DeviceId } from '../model/device-id.js'
import { Answers, REFUSED_BODIES, Refuses } from '../web/answers.js'
import { API } from '../web/api-path.js'
import { clientAddressOf } from '../web/client-address.js'
import type { Page } from '../web/cursor.js'
import { deviceIdParam } from '../web/device-id-param.js'
import {
  type CommandJson,
  type CommandListIn,
  commandIdParam,
  commandListIn,
  commandOut,
  commandPageOut,
  type NewCommandIn,
  newCommandIn,
  toCommandJson,
} from './command.schema.js'
import { type Commander, CommandsService, type Patience } from './commands.service.js'
import { preferredWaitS } from './prefer-wait.js'

@ApiTags('commands')
@Controller(API)
export class CommandsController {
  constructor(private readonly commands: CommandsService) {}

  @Post('devices/:deviceId/commands')
  @HttpCode(202)
  @ForUsers('operator')
  @Idempotent()
  @ApiHeader({
    name: 'Prefer',
    required: false,
    description:
      'RFC 7240: `wait=N`, such as `wait=5`, waits up to N seconds, at most 30, for an end of the command. Granted, the answer carries `Preference-Applied`. Anything else is ignored.',
    schema: { type: 'string' },
  })
  @ApiOperation({
    operationId: 'sendCommand',
    summary: 'Tell a unit to do something',
    description:
      'The command is stored and goes out at once if the unit is connected, else as soon as it is: of one device in order, one at a time. What becomes of it is in its `status` and `history`, and on the live feed. Only an admin may send `SET_SERVER` and `CUSTOM`. What the protocol of a tracker has nothing for is refused (`unsupported_command`), or fails with that message where the protocol is not known yet.',
  })
  @Answers(200, 'With `Prefer: wait`: the command has ended', commandOut, ['Location', 'Preference-Applied'])
  @Answers(202, 'The command is stored', commandOut, ['Location', 'Preference-Applied'])
  @Refuses(...REFUSED_BODIES, 'not_found', 'device_disabled', 'unsupported_command', 'disk_full')
  async send(
    @Param('deviceId', { schema: deviceIdParam }) deviceId: DeviceId,
    @Body({ schema: newCommandIn }) wanted: NewCommandIn,
    @CurrentUser() user: UserCaller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandJson> {
    const patience = patienceOf(request, reply)
    const { command, hasWaited } = await this.commands.submit(deviceId, wanted, commanderOf(user, request), patience)
    reply.header('location', `/${API}/commands/${command.id}`)
    if (hasWaited && patience !== undefined) reply.header('preference-applied', `wait=${patience.waitMs / 1000}`)
    if (hasWaited && hasEnded(command.status)) reply.status(200)
    return toCommandJson(command)
  }

  @Get('devices/:deviceId/commands')
  @ForUsers('viewer')
  @ApiOperation({
    operationId: 'listCommands',
    summary: 'List the commands of a device',
    description: 'Newest first.',
  })
  @Answers(200, 'One page of commands', commandPageOut)
  @Refuses('invalid_request', 'unknown_parameter', 'invalid_cursor', 'not_found')
  list(
    @Param('deviceId', { schema: deviceIdParam }) deviceId: DeviceId,
    @Query({ schema: commandListIn }) query: CommandListIn,
  ): Promise<Page<CommandJson>> {
    return this.commands.list(deviceId, query)
  }

  @Get('commands/:id')
  @ForUsers('viewer')
  @ApiOperation({
    operationId: 'getCommand',
    summary: 'One command',
    description: 'With every step that it took.',
  })
  @Answers(200, 'The command', commandOut)
  @Refuses('not_found')
  get(@Param('id', { schema: commandIdParam }) id: string): Promise<CommandJson> {
    return this.commands.get(id)
  }

  @Delete('commands/:id')
  @HttpCode(200)
  @ForUsers('operator')
  @ApiOperation({
    operationId: 'cancelCommand',
    summary: 'Cancel a command',
    description:
      'As long as it has not ended. A command that was sent already may still be obeyed; what the unit then says is noted in `history` as `late_done` or `late_failed`.',
  })
  @Answers(200, 'The cancelled command', commandOut)
  @Refuses('not_found', 'command_ended', 'disk_full')
  cancel(
    @Param('id', { schema: commandIdParam }) id: string,
    @CurrentUser() user: UserCaller,
    @Req() request: FastifyRequest,
  ): Promise<CommandJson> {
    return this.commands.cancel(id, commanderOf(user, request))
  }
}

function commanderOf({ username, role }: UserCaller, request: FastifyRequest): Commander {
  return { username, role, address: clientAddressOf(request), requestKey: idempotencyScopeOf(request) }
}

function patienceOf(request: FastifyRequest, reply: FastifyReply): Patience | undefined {
  const waitS = preferredWaitS([request.headers.prefer].flat().join(', '))
  if (waitS === undefined) return undefined
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort())
  return { waitMs: waitS * 1000, signal: gone.signal }
}

import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query, Req, Res } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { CurrentUser, ForUsers, type UserCaller } from '../identity/access.js'
import { Idempotent } from '../identity/idempotent.js'
import type { DeviceId } from '../model/device-id.js'
import { Answers, Refuses } from '../web/answers.js'
import { API } from '../web/api-path.js'
import { clientAddressOf } from '../web/client-address.js'
import { CsvBody } from '../web/csv-body.js'
import type { Page } from '../web/cursor.js'
import { deviceIdParam } from '../web/device-id-param.js'
import {
  type DeletionQueryIn,
  type DeviceChangesIn,
  type DeviceJson,
  type DeviceQueryIn,
  deletionQueryIn,
  deviceChangesIn,
  deviceOut,
  devicePageOut,
  deviceQueryIn,
  type ImportResult,
  importOut,
  type NewDeviceIn,
  type NewDeviceJson,
  newDeviceIn,
  newDeviceOut,
  secretOut,
} from './device.schema.js'
import { DeviceImport } from './device-import.js'
import { type Actor, DeviceManagement } from './device-management.js'
import { DevicesService } from './devices.service.js'

const CSV_EXAMPLE = 'deviceId,name,plate\r\n350123451234567,Truck 7,M-MP 7\r\n'

@ApiTags('devices')
@Controller(`${API}/devices`)
export class DevicesController {
  constructor(
    private readonly devices: DevicesService,
    private readonly management: DeviceManagement,
    private readonly importer: DeviceImport,
  ) {}

  @Get()
  @ForUsers('viewer')
  @ApiOperation({
    operationId: 'listDevices',
    summary: 'List devices',
    description:
      'By id, byte by byte; filters combine freely, and all must hold. Where few match among very many, a page may hold fewer items than `limit` and still have a `nextCursor`: go on until that is null.',
  })
  @Answers(200, 'One page of devices', devicePageOut)
  @Refuses('invalid_request', 'unknown_parameter', 'invalid_cursor')
  list(@Query({ schema: deviceQueryIn }) query: DeviceQueryIn): Promise<Page<DeviceJson>> {
    return this.devices.list(query)
  }

  @Post()
  @ForUsers('admin')
  @Idempotent()
  @ApiOperation({
    operationId: 'createDevice',
    summary: 'Add a device',
    description:
      'A device without an IMEI always has a secret; when none is given, one is generated and shown in this answer only, as `secret`. A given secret is never shown again. `position` is null also while the positions are out of reach.',
  })
  @Answers(201, 'The device', newDeviceOut, ['Location'])
  @Refuses('invalid_request', 'invalid_imei', 'device_exists', 'body_too_large', 'unsupported_media_type', 'disk_full')
  async create(
    @Body({ schema: newDeviceIn }) device: NewDeviceIn,
    @CurrentUser() user: UserCaller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<NewDeviceJson> {
    const { record, generatedSecret } = await this.management.create(device, actorOf(user, request))
    reply.header('location', `/${API}/devices/${record.deviceId}`)
    return { ...(await this.devices.showChanged(record)), secret: generatedSecret }
  }

  @Post('import')
  @HttpCode(200)
  @ForUsers('admin')
  @Idempotent()
  @CsvBody(CSV_EXAMPLE)
  @ApiOperation({
    operationId: 'importDevices',
    summary: 'Add and change many devices from a CSV file',
    description:
      'UTF-8, commas, at most 16 MiB and 100,000 lines. The header row (line 1) names the columns as the body of `POST /devices` does, in any order; an unknown column refuses the whole file. Each line stands for itself: a bad one is listed in `rejected` with the line of the file it begins on (a quoted cell may span several) and never stops the others.\n\n' +
      'A device that is there is changed in the columns that the file has: an empty cell clears a label, an empty `secret` leaves the secret as it is, and another secret voids its tokens and ends its links. A new device without an IMEI needs a `secret` in the file (`secret_required`), since one generated here could not be shown, and one of an id whose data is being erased is not added (`overloaded`). Repeating an import changes nothing more.',
  })
  @Answers(200, 'What became of the lines', importOut)
  @Refuses('disk_full')
  import(@Body() text: string, @CurrentUser() user: UserCaller, @Req() request: FastifyRequest): Promise<ImportResult> {
    return this.importer.run(text, actorOf(user, request))
  }

  @Get(':deviceId')
  @ForUsers('viewer')
  @ApiOperation({
    operationId: 'getDevice',
    summary: 'One device',
    description: 'With its presence and its latest position by its own clock.',
  })
  @Answers(200, 'The device', deviceOut)
  @Refuses('not_found')
  get(@Param('deviceId', { schema: deviceIdParam }) deviceId: DeviceId): Promise<DeviceJson> {
    return this.devices.get(deviceId)
  }

  @Patch(':deviceId')
  @ForUsers('admin')
  @ApiOperation({
    operationId: 'changeDevice',
    summary: 'Change a device',
    description:
      'Fields that are not given stay as they are; null or blank clears a label. Disabling ends its links (`device_disabled`) within a second and voids its tokens; after enabling it again the unit logs in anew. `position` is null also while the positions are out of reach.',
  })
  @Answers(200, 'The device after the change', deviceOut)
  @Refuses('invalid_request', 'not_found', 'body_too_large', 'unsupported_media_type', 'disk_full')
  async change(
    @Param('deviceId', { schema: deviceIdParam }) deviceId: DeviceId,
    @Body({ schema: deviceChangesIn }) changes: DeviceChangesIn,
    @CurrentUser() user: UserCaller,
    @Req() request: FastifyRequest,
  ): Promise<DeviceJson> {
    return this.devices.showChanged(await this.management.change(deviceId, changes, actorOf(user, request)))
  }

  @Delete(':deviceId')
  @HttpCode(204)
  @ForUsers('admin')
  @ApiOperation({
    operationId: 'deleteDevice',
    summary: 'Remove a device',
    description:
      'Its links end and its tokens are void. With `erase=true` all that it sent and was told is removed too: positions, alarms, videos with their pictures, uploads under way, commands and refused records, also of a device that was removed before; what a crash leaves half-way is finished by itself. While it runs, no device of this id can be added (`overloaded`); one that is added after it broke off ends it, and what is left then stays. Without, they stay until retention removes what it removes: alarms and videos are listed as before, positions and the list of commands are out of reach unless the device is added again. Commands that have not ended are cancelled.',
  })
  @Answers(204, 'It is gone')
  @Refuses('invalid_request', 'unknown_parameter', 'not_found', 'disk_full')
  delete(
    @Param('deviceId', { schema: deviceIdParam }) deviceId: DeviceId,
    @Query({ schema: deletionQueryIn }) { erase }: DeletionQueryIn,
    @CurrentUser() user: UserCaller,
    @Req() request: FastifyRequest,
  ): Promise<void> {
    return this.management.delete(deviceId, erase ?? false, actorOf(user, request))
  }

  @Post(':deviceId/secret')
  @HttpCode(200)
  @ForUsers('admin')
  @ApiOperation({
    operationId: 'renewDeviceSecret',
    summary: 'Give a device a new secret',
    description:
      'Shown once. The old secret and all tokens are void; open links are told `token_expired` and end: the unit has to log in again, with the new secret.',
  })
  @Answers(200, 'The new secret', secretOut)
  @Refuses('not_found', 'disk_full')
  async renewSecret(
    @Param('deviceId', { schema: deviceIdParam }) deviceId: DeviceId,
    @CurrentUser() user: UserCaller,
    @Req() request: FastifyRequest,
  ): Promise<{ secret: string }> {
    return { secret: await this.management.renewSecret(deviceId, actorOf(user, request)) }
  }
}

function actorOf(user: UserCaller, request: FastifyRequest): Actor {
  return { by: user.username, address: clientAddressOf(request) }
}

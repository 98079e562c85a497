import { Controller, Get, Param, Query, Req, Res, StreamableFile } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { ForUsers } from '../identity/access.js'
import { AppError } from '../model/app-error.js'
import type { DeviceId } from '../model/device-id.js'
import { Refuses } from '../web/answers.js'
import { AnswersIn } from '../web/answers-in.js'
import { API } from '../web/api-path.js'
import type { Page } from '../web/cursor.js'
import { deviceIdParam } from '../web/device-id-param.js'
import { addVary, negotiate } from '../web/negotiate.js'
import { openApiSchema } from '../web/open-api-schema.js'
import { type FramesQueryIn, framesPageOut, framesQueryIn, type RawFrameJson } from './frames.schema.js'
import { FramesService } from './frames.service.js'

const OFFERED = ['application/json', 'text/plain'] as const
const ANSWERS = {
  'application/json': openApiSchema(framesPageOut, 'output'),
  'text/plain': {
    type: 'string',
    description: 'A line for each frame: time, direction, protocol, link and bytes, separated by blanks',
    example: '2026-11-22T07:30:01.250Z in teltonika tcp:203.0.113.7:40112#17 000f333536333037303432343431303133\n',
  },
}

@ApiTags('operations')
@Controller(`${API}/devices/:deviceId/frames`)
export class FramesController {
  constructor(private readonly frames: FramesService) {}

  @Get()
  @ForUsers('admin')
  @ApiOperation({
    operationId: 'listFrames',
    summary: 'What a device said and was told, byte by byte',
    description:
      'The raw archive of one device. `Accept` chooses: JSON (the default) is a page, newest first; `text/plain` is a file of the whole range, oldest first, streamed, which does not heed `limit` and `cursor`. A file that breaks off (a cut connection) is not whole. `RAW_ARCHIVE` says whose frames are kept: by default those of trackers that were let in. A frame is there within a second.',
  })
  @AnswersIn(200, 'A page of frames, or the whole range as a file', ANSWERS, ['Content-Disposition'])
  @Refuses('invalid_request', 'unknown_parameter', 'invalid_cursor', 'not_found', 'not_acceptable')
  async list(
    @Param('deviceId', { schema: deviceIdParam }) deviceId: DeviceId,
    @Query({ schema: framesQueryIn }) query: FramesQueryIn,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Page<RawFrameJson> | StreamableFile> {
    addVary(reply, 'Accept')
    const type = negotiate(request.headers.accept, OFFERED)
    if (type === undefined) throw new AppError('not_acceptable', `There is ${OFFERED.join(', ')}`)
    if (type === 'application/json') return this.frames.page(deviceId, query)
    return new StreamableFile(await this.frames.open(deviceId, query), {
      type: 'text/plain; charset=utf-8',
      disposition: `attachment; filename="frames-${deviceId}.txt"`,
    })
  }
}

import { Controller, Get, Param, Query, Req, Res, StreamableFile } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { ForUsers } from '../identity/access.js'
import { AppError } from '../model/app-error.js'
import type { DeviceId } from '../model/device-id.js'
import { Answers, Refuses } from '../web/answers.js'
import { AnswersIn } from '../web/answers-in.js'
import { API } from '../web/api-path.js'
import type { Page } from '../web/cursor.js'
import { deviceIdParam } from '../web/device-id-param.js'
import { addVary, negotiate } from '../web/negotiate.js'
import type { PositionJson } from '../web/position-json.js'
import {
  type OdometerJson,
  odometerOut,
  type RangeIn,
  rangeIn,
  type TrackQueryIn,
  trackQueryIn,
} from './track.schema.js'
import { TRACK_ANSWERS } from './track-answers.js'
import { TRACK_FILES, type TrackFile, type TrackFileType } from './track-file.js'
import { TracksService } from './tracks.service.js'

const JSON_PAGE = 'application/json'
const OFFERED = [JSON_PAGE, ...(Object.keys(TRACK_FILES) as TrackFileType[])] as const

@ApiTags('tracks')
@Controller(`${API}/devices/:deviceId`)
export class TracksController {
  constructor(private readonly tracks: TracksService) {}

  @Get('track')
  @ForUsers('viewer')
  @ApiOperation({
    operationId: 'getTrack',
    summary: 'Where a device has been',
    description:
      "Positions in order of the unit's clock. `Accept` chooses: JSON (the default) is a page; GeoJSON, GPX and CSV are files of the whole range, streamed, and do not heed `limit` and `cursor`. A file that breaks off (a cut connection) is not whole.",
  })
  @AnswersIn(200, 'A page of positions, or the whole range as a file', TRACK_ANSWERS, ['Content-Disposition'])
  @Refuses('invalid_request', 'unknown_parameter', 'invalid_cursor', 'not_found', 'not_acceptable')
  async track(
    @Param('deviceId', { schema: deviceIdParam }) deviceId: DeviceId,
    @Query({ schema: trackQueryIn }) query: TrackQueryIn,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Page<PositionJson> | StreamableFile> {
    addVary(reply, 'Accept')
    const type = negotiate(request.headers.accept, OFFERED)
    if (type === undefined) throw new AppError('not_acceptable', `There is ${OFFERED.join(', ')}`)
    if (type === JSON_PAGE) return this.tracks.page(deviceId, query)
    const file: TrackFile = TRACK_FILES[type]
    return new StreamableFile(await this.tracks.open(deviceId, query, file), {
      type: file.contentType,
      disposition: `attachment; filename="track-${deviceId}.${file.extension}"`,
    })
  }

  @Get('odometer')
  @ForUsers('viewer')
  @ApiOperation({
    operationId: 'getOdometer',
    summary: 'How far a device has been',
    description: 'Sum of the legs between consecutive positions with a fix, and the number of those positions.',
  })
  @Answers(200, 'The distance', odometerOut)
  @Refuses('invalid_request', 'unknown_parameter', 'not_found')
  odometer(
    @Param('deviceId', { schema: deviceIdParam }) deviceId: DeviceId,
    @Query({ schema: rangeIn }) range: RangeIn,
  ): Promise<OdometerJson> {
    return this.tracks.measure(deviceId, range)
  }
}

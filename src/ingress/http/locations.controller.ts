import { Body, Controller, HttpCode, Post, Res } from '@nestjs/common'
import { ApiBody, ApiOperation, ApiTags } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { encodeLocationAnswer, type LocationAnswer } from '../../codecs/device-json/encode-answer.js'
import { CurrentDeviceId, ForDevices } from '../../identity/access.js'
import { Metrics } from '../../metrics/metrics.js'
import type { TallySeries } from '../../metrics/tally-histogram.js'
import type { DeviceId } from '../../model/device-id.js'
import { Sessions } from '../../sessions/sessions.js'
import { RATE_LIMIT_HEADERS } from '../../web/answer-headers.js'
import { Answers, Refuses } from '../../web/answers.js'
import { API } from '../../web/api-path.js'
import { openApiSchema } from '../../web/open-api-schema.js'
import { EventLimiter } from '../event-limiter.js'
import { LocationIntake } from '../location-intake.js'
import { limitEvents } from './limit-events.js'
import { locationsIn, locationsOut } from './locations.schema.js'

@ApiTags('units')
@Controller(`${API}/locations`)
export class LocationsController {
  private readonly ackSeconds: TallySeries

  constructor(
    private readonly intake: LocationIntake,
    private readonly limiter: EventLimiter,
    private readonly sessions: Sessions,
    metrics: Metrics,
  ) {
    this.ackSeconds = metrics.ackSeconds.of('http')
  }

  @Post()
  @HttpCode(200)
  @ForDevices()
  @ApiOperation({
    operationId: 'sendLocations',
    summary: 'Send positions',
    description:
      'One position or an array of 1 to 1000, for units whose network blocks sockets. Answered after the commit; a record that can never be stored is named in `rejected` and never refuses its neighbours. Resending is safe.',
  })
  @ApiBody({ schema: openApiSchema(locationsIn) })
  @Answers(200, 'What became of each record', locationsOut, RATE_LIMIT_HEADERS)
  @Refuses(
    'invalid_request',
    'empty_batch',
    'batch_too_large',
    'body_too_large',
    'unsupported_media_type',
    'too_many_requests',
    'disk_full',
  )
  async send(
    @Body() body: unknown,
    @CurrentDeviceId() deviceId: DeviceId,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LocationAnswer> {
    const startedMs = performance.now()
    this.sessions.heardWithoutLink(deviceId, 'http')
    limitEvents(this.limiter, deviceId, reply)
    const outcome = await this.intake.take(body, deviceId, 'http')
    this.ackSeconds.observe((performance.now() - startedMs) / 1000)
    return encodeLocationAnswer(outcome)
  }
}

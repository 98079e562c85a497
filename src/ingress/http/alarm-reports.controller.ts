import { Body, Controller, Post, Res } from '@nestjs/common'
import { ApiBody, ApiOperation, ApiTags } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { CurrentDeviceId, ForDevices } from '../../identity/access.js'
import { Metrics } from '../../metrics/metrics.js'
import type { TallySeries } from '../../metrics/tally-histogram.js'
import type { DeviceId } from '../../model/device-id.js'
import { Sessions } from '../../sessions/sessions.js'
import { type AlarmJson, alarmOut, toAlarmJson } from '../../web/alarm-json.js'
import { RATE_LIMIT_HEADERS } from '../../web/answer-headers.js'
import { Answers, REFUSED_BODIES, Refuses } from '../../web/answers.js'
import { API } from '../../web/api-path.js'
import { openApiSchema } from '../../web/open-api-schema.js'
import { AlarmIntake } from '../alarm-intake.js'
import { EventLimiter } from '../event-limiter.js'
import { alarmReportIn } from './alarm-reports.schema.js'
import { limitEvents } from './limit-events.js'

@ApiTags('units')
@Controller(`${API}/alarms`)
export class AlarmReportsController {
  private readonly ackSeconds: TallySeries

  constructor(
    private readonly intake: AlarmIntake,
    private readonly limiter: EventLimiter,
    private readonly sessions: Sessions,
    metrics: Metrics,
  ) {
    this.ackSeconds = metrics.ackSeconds.of('http')
  }

  @Post()
  @ForDevices()
  @ApiOperation({
    operationId: 'raiseAlarm',
    summary: 'Raise an alarm',
    description:
      'Answered after the commit. The same type, time and `attributes.eventKey` again is the same alarm: 200 with its present state, names of files added (beyond the limit they are left out). Resending is safe.',
  })
  @ApiBody({ schema: openApiSchema(alarmReportIn) })
  @Answers(201, 'The alarm, new', alarmOut, ['Location', ...RATE_LIMIT_HEADERS])
  @Answers(200, 'The alarm, which was there', alarmOut, RATE_LIMIT_HEADERS)
  @Refuses(...REFUSED_BODIES, 'unknown_alarm_type', 'invalid_file_name', 'too_many_requests', 'disk_full')
  async raise(
    @Body() body: unknown,
    @CurrentDeviceId() deviceId: DeviceId,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AlarmJson> {
    const startedMs = performance.now()
    this.sessions.heardWithoutLink(deviceId, 'http')
    limitEvents(this.limiter, deviceId, reply)
    const { alarm, isNew } = await this.intake.take(body, deviceId, 'http')
    this.ackSeconds.observe((performance.now() - startedMs) / 1000)
    reply.status(isNew ? 201 : 200)
    if (isNew) reply.header('location', `/${API}/alarms/${alarm.id}`)
    return toAlarmJson(alarm)
  }
}

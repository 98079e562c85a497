import { Body, Controller, Get, Param, Patch, Query, Req, Res, StreamableFile } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { CurrentUser, ForUsers, type UserCaller } from '../identity/access.js'
import { AppError } from '../model/app-error.js'
import { type AlarmJson, alarmOut } from '../web/alarm-json.js'
import { Answers, REFUSED_BODIES, Refuses } from '../web/answers.js'
import { AnswersIn } from '../web/answers-in.js'
import { API } from '../web/api-path.js'
import { clientAddressOf } from '../web/client-address.js'
import type { Page } from '../web/cursor.js'
import { addVary, negotiate } from '../web/negotiate.js'
import {
  type AlarmChangesIn,
  type AlarmQueryIn,
  type AlarmSummaryJson,
  type AlarmSummaryQueryIn,
  alarmChangesIn,
  alarmIdParam,
  alarmQueryIn,
  alarmSummaryOut,
  alarmSummaryQueryIn,
} from './alarm.schema.js'
import { ALARM_ANSWERS } from './alarm-answers.js'
import { AlarmsService } from './alarms.service.js'

const OFFERED = ['application/json', 'text/csv'] as const

@ApiTags('alarms')
@Controller(`${API}/alarms`)
export class AlarmsController {
  constructor(private readonly alarms: AlarmsService) {}

  @Get()
  @ForUsers('viewer')
  @ApiOperation({
    operationId: 'listAlarms',
    summary: 'List alarms',
    description:
      'Filters combine freely, and all must hold. `Accept` chooses: JSON (the default) is a page; `text/csv` is a file of all rows with their scalar fields, streamed, which does not heed `limit` and `cursor`. A file that breaks off (a cut connection) is not whole.',
  })
  @AnswersIn(200, 'A page of alarms, or all of them as a file', ALARM_ANSWERS, ['Content-Disposition'])
  @Refuses('invalid_request', 'unknown_parameter', 'unknown_alarm_type', 'invalid_cursor', 'not_acceptable')
  async list(
    @Query({ schema: alarmQueryIn }) query: AlarmQueryIn,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Page<AlarmJson> | StreamableFile> {
    addVary(reply, 'Accept')
    const type = negotiate(request.headers.accept, OFFERED)
    if (type === undefined) throw new AppError('not_acceptable', `There is ${OFFERED.join(', ')}`)
    if (type === 'application/json') return this.alarms.page(query)
    return new StreamableFile(await this.alarms.openCsv(query), {
      type: 'text/csv; charset=utf-8',
      disposition: 'attachment; filename="alarms.csv"',
    })
  }

  @Get('summary')
  @ForUsers('viewer')
  @ApiOperation({
    operationId: 'summarizeAlarms',
    summary: 'Count alarms',
    description:
      'By type, device, UTC day or status, under the same filters as the list. What has no alarms is not there. Days come in their order, anything else the most first.',
  })
  @Answers(200, 'How many of each', alarmSummaryOut)
  @Refuses('invalid_request', 'unknown_parameter', 'unknown_alarm_type')
  summarize(@Query({ schema: alarmSummaryQueryIn }) query: AlarmSummaryQueryIn): Promise<AlarmSummaryJson> {
    return this.alarms.summarize(query)
  }

  @Get(':id')
  @ForUsers('viewer')
  @ApiOperation({
    operationId: 'getAlarm',
    summary: 'One alarm',
    description: 'With the files that it names, the videos that they have become, and what people did about it.',
  })
  @Answers(200, 'The alarm', alarmOut)
  @Refuses('not_found')
  get(@Param('id', { schema: alarmIdParam }) id: string): Promise<AlarmJson> {
    return this.alarms.get(id)
  }

  @Patch(':id')
  @ForUsers('operator')
  @ApiOperation({
    operationId: 'changeAlarm',
    summary: 'Work on an alarm',
    description:
      'Fields that are not given stay as they are. Every change is added to `history`, with the name of who made it; a change of nothing is not.',
  })
  @Answers(200, 'The alarm after the change', alarmOut)
  @Refuses(...REFUSED_BODIES, 'not_found', 'disk_full')
  change(
    @Param('id', { schema: alarmIdParam }) id: string,
    @Body({ schema: alarmChangesIn }) changes: AlarmChangesIn,
    @CurrentUser() caller: UserCaller,
    @Req() request: FastifyRequest,
  ): Promise<AlarmJson> {
    return this.alarms.change(id, changes, { caller, address: clientAddressOf(request) })
  }
}

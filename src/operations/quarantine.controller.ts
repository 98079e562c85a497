import { Controller, Get, Query } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { ForUsers } from '../identity/access.js'
import { Answers, Refuses } from '../web/answers.js'
import { API } from '../web/api-path.js'
import type { Page } from '../web/cursor.js'
import {
  type QuarantinedJson,
  type QuarantineQueryIn,
  quarantinePageOut,
  quarantineQueryIn,
} from './quarantine.schema.js'
import { QuarantineService } from './quarantine.service.js'

@ApiTags('operations')
@Controller(`${API}/quarantine`)
export class QuarantineController {
  constructor(private readonly quarantine: QuarantineService) {}

  @Get()
  @ForUsers('admin')
  @ApiOperation({
    operationId: 'listQuarantine',
    summary: 'List refused records',
    description:
      'What units sent that can never be stored, as it came and with the reason, newest first. The last 1,000 of each device are kept.',
  })
  @Answers(200, 'One page of refused records', quarantinePageOut)
  @Refuses('invalid_request', 'unknown_parameter', 'invalid_cursor')
  list(@Query({ schema: quarantineQueryIn }) query: QuarantineQueryIn): Promise<Page<QuarantinedJson>> {
    return this.quarantine.list(query)
  }
}

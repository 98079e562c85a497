import { Controller, Get, Query } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { z } from 'zod'
import { AuditRecords } from '../storage/sql/audit-records.js'
import { Answers, Refuses } from '../web/answers.js'
import { API } from '../web/api-path.js'
import { Cursors } from '../web/cursor.js'
import { ForUsers } from './access.js'
import { auditListIn, auditPageOut, toAuditJson } from './audit.schema.js'

const cursors = new Cursors('audit', z.tuple([z.int(), z.string()]))

@ApiTags('audit')
@Controller(`${API}/audit`)
export class AuditController {
  constructor(private readonly records: AuditRecords) {}

  @Get()
  @ForUsers('admin')
  @ApiOperation({
    operationId: 'listAudit',
    summary: 'List what users did',
    description: 'Every change made by a user, and every login; newest first. Never a secret.',
  })
  @Answers(200, 'One page', auditPageOut)
  @Refuses('invalid_request', 'unknown_parameter', 'invalid_cursor')
  async list(
    @Query({ schema: auditListIn }) { by, action, from, to, limit, cursor }: z.output<typeof auditListIn>,
  ): Promise<z.output<typeof auditPageOut>> {
    const last = cursors.decode(cursor)
    const before = last === undefined ? undefined : { atMs: last[0], id: last[1] }
    const query = { by, actions: action, fromMs: from, toMs: to, limit: limit + 1, before }
    return cursors.page(await this.records.list(query), limit, ({ atMs, id }) => [atMs, id], toAuditJson)
  }
}

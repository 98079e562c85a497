import { Controller, Get, Res } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { Public } from '../identity/access.js'
import { Answers, Refuses } from '../web/answers.js'
import { InFlight } from '../web/in-flight.js'
import { livenessOut, readinessOut } from './health.schema.js'
import { Readiness, type ReadinessReport } from './readiness.js'

const STOPPING = { server: { status: 'error', message: 'The server is stopping' } } as const

/** For whatever starts, restarts and balances servers. */
@ApiTags('operations')
@Controller('health')
export class HealthController {
  constructor(
    private readonly readiness: Readiness,
    private readonly inFlight: InFlight,
  ) {}

  @Get('live')
  @Public()
  @ApiOperation({
    operationId: 'getLiveness',
    summary: 'Whether the process lives',
    description:
      'Answers as long as the process does. Restart it when this stops answering; a store that is away is no reason to.',
  })
  @Answers(200, 'It lives', livenessOut)
  @Refuses()
  live(): { status: 'ok' } {
    return { status: 'ok' }
  }

  @Get('ready')
  @Public()
  @ApiOperation({
    operationId: 'getReadiness',
    summary: 'Whether the server can do its work',
    description:
      'Asks every store, at most once a second. Send no traffic while it says 503: a store is away, the disk is full, or the server is stopping. `media` tells of the tool that makes pictures of videos; without it everything else works and the answer is 200.',
  })
  @Refuses()
  @Answers(200, 'Every store works', readinessOut)
  @Answers(503, 'Something does not work, and why', readinessOut)
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<ReadinessReport> {
    const { status, details } = await this.readiness.report()
    const isReady = status === 'ok' && !this.inFlight.isStopping
    if (isReady) return { status, details }
    void reply.status(503)
    return { status: 'error', details: this.inFlight.isStopping ? { ...details, ...STOPPING } : details }
  }
}

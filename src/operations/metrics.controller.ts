import { createHash, timingSafeEqual } from 'node:crypto'
import { Controller, Get, Headers, Res } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { AppConfig } from '../config/app-config.js'
import { Public } from '../identity/access.js'
import { Metrics } from '../metrics/metrics.js'
import { AppError } from '../model/app-error.js'
import { Refuses } from '../web/answers.js'
import { AnswersIn } from '../web/answers-in.js'
import { Readiness } from './readiness.js'

/** For Prometheus. */
@ApiTags('operations')
@Controller('metrics')
export class MetricsController {
  constructor(
    private readonly metrics: Metrics,
    private readonly readiness: Readiness,
    private readonly config: AppConfig,
  ) {}

  @Get()
  @Public()
  @ApiOperation({
    operationId: 'getMetrics',
    summary: 'Metrics for Prometheus',
    description:
      'In the text format of Prometheus; every name is explained in `docs/operations.md`. When `METRICS_TOKEN` is set, it must come as a bearer token.',
  })
  @AnswersIn(200, 'All metrics', { 'text/plain': { type: 'string' } })
  @Refuses('token_missing', 'token_invalid')
  async scrape(
    @Headers('authorization') authorization: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    this.admit(authorization)
    // Also brings the gauges of the stores up to date.
    await this.readiness.report()
    void reply.type(this.metrics.registry.contentType)
    return this.metrics.registry.metrics()
  }

  private admit(authorization: string | undefined): void {
    const { METRICS_TOKEN } = this.config
    if (METRICS_TOKEN === undefined) return
    const given = /^Bearer +(.+)$/i.exec(authorization ?? '')?.[1]
    if (given === undefined) throw new AppError('token_missing')
    if (!timingSafeEqual(digest(given), digest(METRICS_TOKEN))) throw new AppError('token_invalid')
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

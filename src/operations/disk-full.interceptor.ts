import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common'
import { Reflector } from '@nestjs/core'
import type { FastifyRequest } from 'fastify'
import type { Observable } from 'rxjs'
import { DiskGuard } from '../storage/disk-guard.js'
import { API } from '../web/api-path.js'
import { WRITES_NOTHING } from '../web/writes-nothing.js'

/** Removing makes room, so DELETE is not among them. */
const WRITES = new Set(['POST', 'PUT', 'PATCH'])
/** Those who come to make room must be able to log in. */
const ALWAYS_TAKEN = `/${API}/auth/`

/** Refuses every write over HTTP while the data disk is nearly full. Runs after the guards: who may not write is told that first. */
@Injectable()
export class DiskFullInterceptor implements NestInterceptor {
  constructor(
    private readonly disk: DiskGuard,
    private readonly reflector: Reflector,
  ) {}

  /** @throws AppError `disk_full` */
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { method, url } = context.switchToHttp().getRequest<FastifyRequest>()
    const isWriting =
      WRITES.has(method) && !this.reflector.get<boolean | undefined>(WRITES_NOTHING, context.getHandler())
    if (isWriting && !url.startsWith(ALWAYS_TAKEN)) this.disk.assertWritable()
    return next.handle()
  }
}

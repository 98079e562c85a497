import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor, SetMetadata } from '@nestjs/common'
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js'
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js'
import { Reflector } from '@nestjs/core'
import type { FastifyRequest } from 'fastify'
import type { Observable } from 'rxjs'
import { AppError } from '../model/app-error.js'

const ANY_QUERY = 'milepost:any-query'
const QUERY_ARGUMENT = `${RouteParamtypes.QUERY}:`

/** For routes whose clients may send query parameters that mean nothing here. */
export const AnyQuery = () => SetMetadata(ANY_QUERY, true)

/**
 * Refuses every query parameter on routes that have no schema of their query (`@Query({ schema })`); the schemas refuse what they
 * do not know themselves. Runs after the guards: who may not call is told that first.
 */
@Injectable()
export class UnknownParametersInterceptor implements NestInterceptor {
  constructor(private readonly reflector: Reflector) {}

  /** @throws AppError `unknown_parameter` */
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() === 'http') this.check(context)
    return next.handle()
  }

  private check(context: ExecutionContext): void {
    const names = Object.keys(context.switchToHttp().getRequest<FastifyRequest>().query ?? {})
    if (names.length === 0 || hasQuerySchema(context)) return
    const takesAny = this.reflector.getAllAndOverride<boolean | undefined>(ANY_QUERY, [
      context.getHandler(),
      context.getClass(),
    ])
    if (takesAny) return
    const errors = names
      .slice(0, 100)
      .map((path) => ({ path, code: 'unknown_field' as const, message: 'is not known here' }))
    throw new AppError('unknown_parameter', `Unknown query parameter: ${names.join(', ')}`.slice(0, 1000), { errors })
  }
}

function hasQuerySchema(context: ExecutionContext): boolean {
  const parameters = Reflect.getMetadata(ROUTE_ARGS_METADATA, context.getClass(), context.getHandler().name) as
    | Readonly<Record<string, { readonly schema?: unknown }>>
    | undefined
  return Object.entries(parameters ?? {}).some(
    ([key, { schema }]) => key.startsWith(QUERY_ARGUMENT) && schema !== undefined,
  )
}

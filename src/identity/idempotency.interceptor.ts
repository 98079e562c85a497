import { type CallHandler, type ExecutionContext, Injectable, Logger, type NestInterceptor } from '@nestjs/common'
import { Reflector } from '@nestjs/core'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { defer, lastValueFrom, type Observable, of } from 'rxjs'
import { AppError, type ErrorCode, type FieldError } from '../model/app-error.js'
import { callerOf } from './access.js'
import { AnswerVault } from './answer-vault.js'
import { type Claim, IdempotencyClaims } from './idempotency-claims.js'
import { setIdempotencyScope } from './idempotency-scope.js'
import { IDEMPOTENT } from './idempotent.js'

const KEY = /^[\x20-\x7e]{1,255}$/
const MAX_SEALED_CHARS = 1_000_000
const KEPT_HEADERS = ['location', 'content-type'] as const

/** An answer as it is kept. */
type Answer =
  | { readonly headers: Readonly<Record<string, string>>; readonly body: unknown }
  | { readonly code: ErrorCode; readonly detail: string; readonly errors?: readonly FieldError[] | undefined }

/** One request under the key that its client chose. */
interface KeyedClaim extends Claim {
  readonly key: string
}

/**
 * Answers the repeat of a user's POST as the first was answered, by `Idempotency-Key`. What may come out otherwise the next time
 * (5xx, 429) gives the key back.
 */
@Injectable()
export class IdempotencyInterceptor implements NestInterceptor {
  private readonly logger = new Logger('idempotency')

  constructor(
    private readonly reflector: Reflector,
    private readonly claims: IdempotencyClaims,
    private readonly vault: AnswerVault,
  ) {}

  /** @throws AppError `invalid_request` | `idempotency_key_reused` | `idempotency_in_progress` | `store_unavailable` */
  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    if (!this.reflector.get<boolean | undefined>(IDEMPOTENT, context.getHandler())) return next.handle()
    const request = context.switchToHttp().getRequest<FastifyRequest>()
    const reply = context.switchToHttp().getResponse<FastifyReply>()
    const claim = this.claimOf(request)
    if (claim === undefined) return next.handle()
    const kept = await this.claims.take(claim)
    if (kept !== undefined) {
      return of(replay(reply, kept.status, this.vault.unseal(kept.sealed, claim.scopeHash, claim.key) as Answer))
    }
    setIdempotencyScope(request, claim.scopeHash)
    return defer(() => this.run(claim, next, reply))
  }

  private claimOf(request: FastifyRequest): KeyedClaim | undefined {
    const caller = callerOf(request)
    const key = request.headers['idempotency-key']
    if (key === undefined || caller?.kind !== 'user') return undefined
    if (typeof key !== 'string' || !KEY.test(key)) {
      throw new AppError('invalid_request', 'Idempotency-Key must have 1 to 255 printable ASCII characters')
    }
    const [path = '', query = ''] = request.url.split('?', 2)
    return {
      key,
      scopeHash: this.vault.scopeHash(caller.username, String(caller.accountSinceMs), request.method, path, key),
      // Keyed as well: a body may hold a password, which a bare hash would let whoever reads the database try out.
      bodyHash: this.vault.scopeHash('body', query, textOf(request.body)),
    }
  }

  private async run(claim: KeyedClaim, next: CallHandler, reply: FastifyReply): Promise<unknown> {
    try {
      const body: unknown = await lastValueFrom(next.handle(), { defaultValue: undefined })
      await this.keep(claim, reply.statusCode, { headers: headersOf(reply), body: body ?? null })
      return body
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal === undefined) await this.claims.release(claim)
      else
        await this.keep(claim, refusal.status, { code: refusal.code, detail: refusal.message, errors: refusal.errors })
      throw error
    }
  }

  /** Never throws: what the request did is done, and its answer is due. */
  private async keep(claim: KeyedClaim, status: number, answer: Answer): Promise<void> {
    const sealed = this.seal(claim, answer)
    if (sealed === undefined) await this.claims.release(claim)
    else await this.claims.complete(claim, status, sealed)
  }

  /** @returns undefined: it cannot be kept */
  private seal({ scopeHash, key }: KeyedClaim, answer: Answer): string | undefined {
    try {
      const sealed = this.vault.seal(answer, scopeHash, key)
      return sealed.length > MAX_SEALED_CHARS ? undefined : sealed
    } catch (error) {
      this.logger.error({ event: 'idempotent_answer_not_sealed', reason: String(error) })
      return undefined
    }
  }
}

/** @throws AppError as the first time */
function replay(reply: FastifyReply, status: number, answer: Answer): unknown {
  void reply.header('idempotent-replayed', 'true')
  if ('code' in answer) throw new AppError(answer.code, answer.detail, { errors: answer.errors })
  void reply.status(status).headers(answer.headers)
  return answer.body ?? undefined
}

/** The refusal, if the same request would get it again. */
function refusalOf(error: unknown): AppError | undefined {
  if (!(error instanceof AppError)) return undefined
  return error.status < 500 && error.status !== 429 ? error : undefined
}

function headersOf(reply: FastifyReply): Record<string, string> {
  const kept = KEPT_HEADERS.map((name) => [name, reply.getHeader(name)] as const)
  return Object.fromEntries(
    kept.filter((pair): pair is [(typeof KEPT_HEADERS)[number], string] => typeof pair[1] === 'string'),
  )
}

/** @throws AppError `invalid_request`: nested deeper than it can be written down, which no route takes */
function textOf(body: unknown): string {
  if (typeof body === 'string') return body
  try {
    return JSON.stringify(body) ?? ''
  } catch (error) {
    throw new AppError('invalid_request', 'The body is nested too deep', { cause: error })
  }
}

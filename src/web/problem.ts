import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import { type AppError, ERROR_CATALOGUE, type ErrorCode } from '../model/app-error.js'
import { FIELD_CODES, type FieldCode } from '../model/field-code.js'

/** RFC 9457 problem details, the body of every error answer. */
export const problemSchema = z
  .object({
    type: z.string().describe('URI that identifies the kind of problem'),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string().describe('What is wrong this time, in words'),
    code: z.enum(Object.keys(ERROR_CATALOGUE) as [ErrorCode, ...ErrorCode[]]).describe('Stable code for programs'),
    instance: z.string().optional().describe('Path of the request'),
    errors: z
      .array(
        z.object({
          path: z.string().describe('Dotted, into the body; or the name of a parameter'),
          code: z.enum(Object.keys(FIELD_CODES) as [FieldCode, ...FieldCode[]]),
          message: z.string(),
        }),
      )
      .optional()
      .describe('The fields that are wrong'),
  })
  .meta({ id: 'Problem' })

export type Problem = z.output<typeof problemSchema>

/** The body of the answer to an error. */
export function toProblem(error: AppError, instance?: string): Problem {
  return {
    type: `urn:milepost:error:${error.code}`,
    title: ERROR_CATALOGUE[error.code].title,
    status: error.status,
    detail: error.message,
    code: error.code,
    ...(instance === undefined ? {} : { instance }),
    ...(error.errors === undefined ? {} : { errors: [...error.errors] }),
  }
}

/** What is worth sending again, and when nobody knows better. */
const RETRY_STATUSES: readonly number[] = [429, 503]
const RETRY_AFTER_MS = 5000

/** Sends the error as `application/problem+json`, with `Retry-After` in whole seconds where sending it again may help. */
export function sendProblem(reply: FastifyReply, error: AppError, instance?: string): void {
  const retryAfterMs = error.retryAfterMs ?? (RETRY_STATUSES.includes(error.status) ? RETRY_AFTER_MS : undefined)
  if (retryAfterMs !== undefined) reply.header('retry-after', String(Math.max(1, Math.ceil(retryAfterMs / 1000))))
  if (error.status === 401) reply.header('www-authenticate', challengeOf(error.code))
  void reply
    .status(error.status)
    .type('application/problem+json; charset=utf-8')
    .send(JSON.stringify(toProblem(error, instance)))
}

/** RFC 6750, 3: clients that know no more than that renew a token when it is said to be invalid. */
function challengeOf(code: ErrorCode): string {
  return code === 'token_invalid' || code === 'token_expired' ? 'Bearer error="invalid_token"' : 'Bearer'
}

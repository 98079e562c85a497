import { type ArgumentMetadata, Injectable, type PipeTransform } from '@nestjs/common'
import { AppError, ERROR_CATALOGUE, type ErrorCode, type FieldError } from '../model/app-error.js'

/** What zod adds to the issues of Standard Schema. */
interface Issue {
  readonly message: string
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined
  readonly code?: string
  readonly keys?: readonly string[]
  readonly params?: { readonly code?: unknown }
}

/**
 * Checks parameters against the schema of their decorator (`@Body({ schema })`, `@Query({ schema })`, `@Param({ schema })`).
 * A rule may name its own code: `ctx.addIssue({ code: 'custom', params: { code: 'invalid_imei' }, message })`.
 */
@Injectable()
export class SchemaPipe implements PipeTransform {
  async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    if (metadata.schema === undefined) return value
    const result = await metadata.schema['~standard'].validate(value)
    if (result.issues === undefined) return result.value
    throw toAppError(result.issues as readonly Issue[], metadata.type)
  }
}

function toAppError(issues: readonly Issue[], source: ArgumentMetadata['type']): AppError {
  if (source === 'param') return new AppError('not_found')
  const errors = issues.flatMap(toFieldErrors)
  const unknown = source === 'query' ? issues.find((issue) => issue.code === 'unrecognized_keys') : undefined
  if (unknown !== undefined) {
    return new AppError('unknown_parameter', `Unknown query parameter: ${unknown.keys?.join(', ')}`, { errors })
  }
  const own = issues.map((issue) => issue.params?.code).find(isErrorCode)
  const words = errors.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ')
  return new AppError(own ?? 'invalid_request', words.slice(0, 1000), { errors: errors.slice(0, 100) })
}

function toFieldErrors(issue: Issue): FieldError[] {
  const path = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.')
  if (issue.code === 'unrecognized_keys') {
    return (issue.keys ?? []).map((key) => ({
      path: path === '' ? key : `${path}.${key}`,
      code: 'unknown_field',
      message: 'is not known here',
    }))
  }
  const code = typeof issue.params?.code === 'string' ? issue.params.code : (issue.code ?? 'invalid')
  return [{ path, code, message: issue.message }]
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERROR_CATALOGUE, code)
}

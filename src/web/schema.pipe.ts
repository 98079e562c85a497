import { type ArgumentMetadata, Injectable, type PipeTransform } from '@nestjs/common'
import { AppError, ERROR_CATALOGUE, type ErrorCode, type FieldError } from '../model/app-error.js'
import { type FieldCode, isFieldCode } from '../model/field-code.js'

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
    throw toAppError(result.issues as readonly Issue[], value, metadata.type)
  }
}

function toAppError(issues: readonly Issue[], value: unknown, source: ArgumentMetadata['type']): AppError {
  if (source === 'param') return new AppError('not_found')
  const errors = issues.flatMap((issue) => toFieldErrors(issue, value))
  const unknown = source === 'query' ? issues.find((issue) => issue.code === 'unrecognized_keys') : undefined
  if (unknown !== undefined) {
    return new AppError('unknown_parameter', `Unknown query parameter: ${unknown.keys?.join(', ')}`, { errors })
  }
  const own = issues.map((issue) => issue.params?.code).find(isErrorCode)
  const words = errors.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ')
  return new AppError(own ?? 'invalid_request', words.slice(0, 1000), { errors: errors.slice(0, 100) })
}

function toFieldErrors(issue: Issue, value: unknown): FieldError[] {
  const keys = (issue.path ?? []).map((part) => (typeof part === 'object' ? part.key : part))
  const path = keys.map(String).join('.')
  if (issue.code === 'unrecognized_keys') {
    return (issue.keys ?? []).map((key) => ({
      path: path === '' ? key : `${path}.${key}`,
      code: 'unknown_field',
      message: 'is not known here',
    }))
  }
  if (isFieldCode(issue.params?.code)) return [{ path, code: issue.params.code, message: issue.message }]
  const isMissing = valueAt(value, keys) === undefined
  return [
    isMissing
      ? { path, code: 'missing', message: 'is missing' }
      : { path, code: codeOf(issue), message: issue.message },
  ]
}

/** The library's words for what is wrong are its own and change with it. */
function codeOf({ code }: Issue): FieldCode {
  return code === 'invalid_type' || code === 'too_small' || code === 'too_big' ? code : 'invalid_value'
}

function valueAt(value: unknown, keys: readonly PropertyKey[]): unknown {
  return keys.reduce<unknown>(
    (inner, key) =>
      typeof inner === 'object' && inner !== null && Object.hasOwn(inner, key)
        ? (inner as Record<PropertyKey, unknown>)[key]
        : undefined,
    value,
  )
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERROR_CATALOGUE, code)
}

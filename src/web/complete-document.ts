import type { OpenAPIObject } from '@nestjs/swagger'
import { AppError } from '../model/app-error.js'
import { headersOf } from './answer-headers.js'
import { toProblem } from './problem.js'

type PathItem = OpenAPIObject['paths'][string]
type Operation = NonNullable<PathItem['get']>
type Parameter = Extract<NonNullable<Operation['parameters']>[number], { in: unknown }>
type Response = Extract<NonNullable<Operation['responses'][string]>, { description: unknown }>

/** Where a route's documentation keeps the lowest role that may call it. */
export const ROLE_EXTENSION = 'x-role'

const METHODS = ['get', 'put', 'post', 'patch', 'delete'] as const

/** Adds what the decorators of routes cannot say or would each have to repeat, and leaves out what tells nobody anything. */
export function completeDocument(document: OpenAPIObject): OpenAPIObject {
  for (const item of Object.values(document.paths)) {
    for (const method of METHODS) if (item[method] !== undefined) complete(item[method])
  }
  return withoutIdleBounds(document) as OpenAPIObject
}

function complete(operation: Operation): void {
  const parameters = (operation.parameters ?? []).filter((one): one is Parameter => 'in' in one)
  for (const parameter of parameters) liftFromSchema(parameter)
  if (parameters.some((parameter) => parameter.in === 'query')) operation.responses['431'] = TOO_LONG
  if (parameters.some(({ name }) => name === 'Idempotency-Key')) tellReplays(operation)
  tellRole(operation)
}

/** What is said of a parameter stands in its schema too, or only there. */
function liftFromSchema(parameter: Parameter): void {
  const { description, ...schema } = (parameter.schema ?? {}) as { description?: string }
  parameter.schema = schema
  if (description !== undefined) parameter.description ??= description
}

function tellRole(operation: Operation & { [ROLE_EXTENSION]?: string }): void {
  const role = operation[ROLE_EXTENSION]
  if (role === undefined) return
  operation.description = `${operation.description ?? ''}\n\nNeeds the role \`${role}\`${role === 'admin' ? '' : ' or a higher one'}.`
}

function tellReplays({ responses }: Operation): void {
  for (const [status, response] of Object.entries(responses)) {
    if (!status.startsWith('2') || response === undefined || '$ref' in response) continue
    response.headers = { ...response.headers, ...headersOf(['Idempotent-Replayed']) }
  }
}

/** Node answers it before any route is known; only a query can grow that long without meaning harm. */
const TOO_LONG: Response = {
  description: '`headers_too_large` The request line and the headers have more than 16 KiB: ask for less at once',
  content: {
    'application/problem+json': {
      schema: { $ref: '#/components/schemas/Problem' },
      examples: {
        headers_too_large: { value: toProblem(new AppError('headers_too_large')) },
      },
    },
  },
}

/** zod bounds every integer by what JavaScript can count to. */
function withoutIdleBounds(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutIdleBounds)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== Number.MAX_SAFE_INTEGER && inner !== Number.MIN_SAFE_INTEGER)
      .map(([key, inner]) => [key, withoutIdleBounds(inner)]),
  )
}

import type { ApiBodyOptions } from '@nestjs/swagger'
import { z } from 'zod'

type OpenApiSchema = Extract<ApiBodyOptions, { schema: unknown }>['schema']
type Definitions = Readonly<Record<string, unknown>>

const DEFINITION = '#/definitions/'

/**
 * A schema as OpenAPI 3.0 writes it, whole and in place, for what is documented but checked elsewhere (a codec, a stream).
 * @param io `input`: what is accepted; `output`: what is answered
 */
export function openApiSchema(schema: z.ZodType, io: 'input' | 'output' = 'input'): OpenApiSchema {
  const {
    $schema: _,
    definitions = {},
    ...rest
  } = z.toJSONSchema(schema, { target: 'openapi-3.0', io, unrepresentable: 'any' })
  return inPlace(rest, definitions as Definitions) as OpenApiSchema
}

/** Puts definitions where they are referred to; OpenAPI 3.0 knows one `example` where JSON Schema has `examples`. */
function inPlace(value: unknown, definitions: Definitions): unknown {
  if (Array.isArray(value)) return value.map((inner) => inPlace(inner, definitions))
  if (typeof value !== 'object' || value === null) return value
  const { $ref, examples, ...rest } = value as { $ref?: string; examples?: unknown[] }
  if ($ref?.startsWith(DEFINITION)) return inPlace(definitions[$ref.slice(DEFINITION.length)], definitions)
  const entries = Object.entries(rest).map(([key, inner]) => [
    key,
    key === 'example' ? inner : inPlace(inner, definitions),
  ])
  if (examples?.[0] !== undefined) entries.push(['example', examples[0]])
  return Object.fromEntries(entries)
}

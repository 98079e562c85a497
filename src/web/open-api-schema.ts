import type { ApiBodyOptions } from '@nestjs/swagger'
import { z } from 'zod'

type OpenApiSchema = Extract<ApiBodyOptions, { schema: unknown }>['schema']

/**
 * A schema as OpenAPI 3.0 writes it, in place, for what is documented but checked elsewhere (a codec, a stream).
 * @param io `input`: what is accepted; `output`: what is answered
 */
export function openApiSchema(schema: z.ZodType, io: 'input' | 'output' = 'input'): OpenApiSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: 'openapi-3.0', io, unrepresentable: 'any' })
  return withExample(rest) as OpenApiSchema
}

/** OpenAPI 3.0 knows one `example` where JSON Schema has `examples`. */
function withExample(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withExample)
  if (typeof value !== 'object' || value === null) return value
  const { examples, ...rest } = value as Record<string, unknown>
  const entries = Object.entries(rest).map(([key, inner]) => [key, withExample(inner)])
  const example = Array.isArray(examples) && examples.length > 0 ? [['example', examples[0]]] : []
  return Object.fromEntries([...entries, ...example])
}

import { ApiResponse, type ApiResponseSchemaHost } from '@nestjs/swagger'
import { type AnswerHeaderName, headersOf } from './answer-headers.js'

/** Documents a good answer that comes in several media types. */
export const AnswersIn = (
  status: number,
  description: string,
  schemas: Readonly<Record<string, ApiResponseSchemaHost['schema']>>,
  headers: readonly AnswerHeaderName[] = [],
) =>
  ApiResponse({
    status,
    description,
    ...(headers.length === 0 ? {} : { headers: headersOf(headers) }),
    content: Object.fromEntries(Object.entries(schemas).map(([mediaType, schema]) => [mediaType, { schema }])),
  })

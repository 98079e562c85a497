import { ApiResponse, type ApiResponseSchemaHost } from '@nestjs/swagger'

/** Documents a good answer that comes in several media types. */
export const AnswersIn = (
  status: number,
  description: string,
  schemas: Readonly<Record<string, ApiResponseSchemaHost['schema']>>,
) =>
  ApiResponse({
    status,
    description,
    content: Object.fromEntries(Object.entries(schemas).map(([mediaType, schema]) => [mediaType, { schema }])),
  })

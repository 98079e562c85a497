import { applyDecorators } from '@nestjs/common'
import { ApiResponse } from '@nestjs/swagger'
import type { z } from 'zod'
import { ERROR_CATALOGUE, type ErrorCode } from '../model/app-error.js'

/** Codes that any route may answer with. */
const EVERYWHERE: readonly ErrorCode[] = ['internal', 'store_unavailable', 'overloaded']

/** Documents a route's good answer. */
export const Answers = (status: number, description: string, schema?: z.ZodType) =>
  ApiResponse({ status, description, ...(schema === undefined ? {} : { standardSchema: schema }) })

/** Documents the codes that a route refuses with, one response per status. */
export function Refuses(...codes: ErrorCode[]): MethodDecorator & ClassDecorator {
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of [...codes, ...EVERYWHERE]) {
    const { status } = ERROR_CATALOGUE[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  return applyDecorators(...[...byStatus].map(([status, some]) => refusal(status, some)))
}

function refusal(status: number, codes: readonly ErrorCode[]) {
  return ApiResponse({
    status,
    description: codes.map((code) => `\`${code}\` ${ERROR_CATALOGUE[code].title}`).join('; '),
    content: {
      'application/problem+json': {
        schema: { $ref: '#/components/schemas/Problem' },
        examples: Object.fromEntries(codes.map((code) => [code, { value: exampleOf(code) }])),
      },
    },
  })
}

function exampleOf(code: ErrorCode) {
  const { status, title } = ERROR_CATALOGUE[code]
  return { type: `urn:milepost:error:${code}`, title, status, detail: title, code }
}

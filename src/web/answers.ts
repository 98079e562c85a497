import { ApiResponse } from '@nestjs/swagger'
import type { z } from 'zod'
import { ERROR_CATALOGUE, type ErrorCode } from '../model/app-error.js'
import { type AnswerHeaderName, headersOf, RATE_LIMIT_HEADERS } from './answer-headers.js'

/** Codes that any route may answer with. */
const EVERYWHERE: readonly ErrorCode[] = ['unknown_parameter', 'internal', 'store_unavailable', 'overloaded']

/** Documents a route's good answer. @param headers those that it carries */
export const Answers = (
  status: number,
  description: string,
  schema?: z.ZodType,
  headers: readonly AnswerHeaderName[] = [],
) =>
  ApiResponse({
    status,
    description,
    ...(schema === undefined ? {} : { standardSchema: schema }),
    ...(headers.length === 0 ? {} : { headers: headersOf(headers) }),
  })

/** What a route that takes a JSON body refuses it with. */
export const REFUSED_BODIES = ['invalid_request', 'unsupported_media_type', 'body_too_large'] as const

/** Where @nestjs/swagger keeps a route's responses, by status. */
const RESPONSES = 'swagger/apiResponse'
const REFUSED = 'milepost:refused'
const STATUSES = 'milepost:refused-with'
const PROBLEM = 'application/problem+json'

interface Documented {
  readonly content?: Readonly<Record<string, unknown>>
}

/**
 * Documents the codes that a route refuses with, one response per status. Several on one route add up, such as its own and those
 * that come with its access. What the route answers a status with otherwise, documented below this, stays.
 */
export function Refuses(...codes: ErrorCode[]): MethodDecorator & ClassDecorator {
  return (target: object, _key?: string | symbol, descriptor?: PropertyDescriptor) => {
    const subject = (descriptor?.value ?? target) as object
    const before = (Reflect.getMetadata(REFUSED, subject) as ErrorCode[] | undefined) ?? []
    const all = [...new Set([...before, ...codes, ...EVERYWHERE])]
    Reflect.defineMetadata(REFUSED, all, subject)
    const responses = (Reflect.getMetadata(RESPONSES, subject) as Record<number, Documented> | undefined) ?? {}
    const own = Object.entries(responses).filter(([, { content }]) => content?.[PROBLEM] === undefined)
    Reflect.defineMetadata(RESPONSES, { ...refusalsOf(all, statusesOf(subject)), ...Object.fromEntries(own) }, subject)
  }
}

/** Documents a code that a route refuses with under another status than the catalogue's. */
export function RefusesWith(status: number, code: ErrorCode): MethodDecorator {
  return (target: object, key: string | symbol, descriptor: PropertyDescriptor) => {
    const subject = descriptor.value as object
    Reflect.defineMetadata(STATUSES, { ...statusesOf(subject), [code]: status }, subject)
    Refuses(code)(target, key, descriptor)
  }
}

type Statuses = Readonly<Partial<Record<ErrorCode, number>>>

function statusesOf(subject: object): Statuses {
  return (Reflect.getMetadata(STATUSES, subject) as Statuses | undefined) ?? {}
}

function refusalsOf(codes: readonly ErrorCode[], statuses: Statuses): Record<number, unknown> {
  const statusOf = (code: ErrorCode) => statuses[code] ?? ERROR_CATALOGUE[code].status
  const all = [...new Set(codes.map(statusOf))]
  return Object.fromEntries(
    all.map((status) => [
      status,
      refusal(
        status,
        codes.filter((code) => statusOf(code) === status),
      ),
    ]),
  )
}

function refusal(status: number, codes: readonly ErrorCode[]) {
  return {
    description: codes.map((code) => `\`${code}\` ${ERROR_CATALOGUE[code].title}`).join('; '),
    headers: headersOf([...new Set(codes.flatMap(headersOfCode))]),
    content: {
      [PROBLEM]: {
        schema: { $ref: '#/components/schemas/Problem' },
        examples: Object.fromEntries(codes.map((code) => [code, { value: exampleOf(status, code) }])),
      },
    },
  }
}

function headersOfCode(code: ErrorCode): readonly AnswerHeaderName[] {
  if (code === 'login_refused') return ['WWW-Authenticate', ...RATE_LIMIT_HEADERS]
  if (code === 'too_many_requests') return ['Retry-After', ...RATE_LIMIT_HEADERS]
  if (code === 'range_not_satisfiable') return ['Content-Range']
  const { status } = ERROR_CATALOGUE[code]
  if (status === 401) return ['WWW-Authenticate']
  return status === 503 ? ['Retry-After'] : []
}

function exampleOf(status: number, code: ErrorCode) {
  const { title } = ERROR_CATALOGUE[code]
  return { type: `urn:milepost:error:${code}`, title, status, detail: title, code }
}

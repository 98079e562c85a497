interface AnswerHeader {
  readonly description: string
  /** It is there whenever the answer is; false: only in some cases. */
  readonly required: boolean
  readonly schema: { readonly type: 'string' | 'integer'; readonly minimum?: number; readonly enum?: string[] }
}

/** Headers of answers that clients can act on, for the documentation. */
export const ANSWER_HEADERS = {
  'Accept-Ranges': {
    description: 'Ranges may be asked for',
    required: true,
    schema: { type: 'string', enum: ['bytes'] },
  },
  'Content-Disposition': {
    description: 'Of files: the name to save it under',
    required: false,
    schema: { type: 'string' },
  },
  'Content-Range': {
    description: 'Which bytes of how many, such as `bytes 0-1023/4096`; with 416 `bytes */4096`',
    required: true,
    schema: { type: 'string' },
  },
  ETag: { description: 'Strong: one for these very bytes', required: true, schema: { type: 'string' } },
  'Idempotent-Replayed': {
    description: 'This is the answer that the first request with this `Idempotency-Key` got',
    required: false,
    schema: { type: 'string', enum: ['true'] },
  },
  Location: { description: 'Path of what was created', required: true, schema: { type: 'string' } },
  'Preference-Applied': {
    description: 'The wait that was granted, such as `wait=10`',
    required: false,
    schema: { type: 'string' },
  },
  'RateLimit-Limit': {
    description: 'So many are allowed; absent while the limit is off',
    required: false,
    schema: { type: 'integer', minimum: 0 },
  },
  'RateLimit-Remaining': {
    description: 'So many are left',
    required: false,
    schema: { type: 'integer', minimum: 0 },
  },
  'RateLimit-Reset': {
    description: 'Seconds until all are allowed again',
    required: false,
    schema: { type: 'integer', minimum: 0 },
  },
  'Retry-After': {
    description: 'Seconds after which the same request may be sent again',
    required: true,
    schema: { type: 'integer', minimum: 1 },
  },
  'WWW-Authenticate': {
    description: 'RFC 6750',
    required: true,
    schema: { type: 'string', enum: ['Bearer', 'Bearer error="invalid_token"'] },
  },
} as const satisfies Record<string, AnswerHeader>

export type AnswerHeaderName = keyof typeof ANSWER_HEADERS

export const RATE_LIMIT_HEADERS = ['RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset'] as const

/** The headers as a response of the OpenAPI document names them. */
export function headersOf(names: readonly AnswerHeaderName[]) {
  return Object.fromEntries(names.map((name) => [name, ANSWER_HEADERS[name]]))
}

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
  Location: {
    description: 'Path of what was created; with 302 where it is',
    required: true,
    schema: { type: 'string' },
  },
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
  'Tus-Extension': { description: 'Extensions of tus that are served', required: true, schema: { type: 'string' } },
  'Tus-Max-Size': {
    description: 'Bytes that a file may have',
    required: true,
    schema: { type: 'integer', minimum: 0 },
  },
  'Tus-Version': { description: 'Versions of tus that are served', required: true, schema: { type: 'string' } },
  'Upload-Expires': {
    description: 'When the upload is dropped unless more of it comes; absent once it is whole',
    required: false,
    schema: { type: 'string' },
  },
  'Upload-Length': {
    description: 'Bytes of the whole file; absent while it is not known',
    required: false,
    schema: { type: 'integer', minimum: 0 },
  },
  'Upload-Metadata': { description: 'As at the creation', required: false, schema: { type: 'string' } },
  'Upload-Offset': {
    description: 'Bytes that are on disk; in the answer to a creation only if bytes came along',
    required: false,
    schema: { type: 'integer', minimum: 0 },
  },
  'Video-Id': {
    description: 'The video that it has become; absent while it is none',
    required: false,
    schema: { type: 'string' },
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

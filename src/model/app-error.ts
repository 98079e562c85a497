import type { FieldCode } from './field-code.js'

/**
 * The one catalogue of errors: stable code → HTTP status and title. Every refusal on every transport carries one of these codes;
 * `docs/errors.md` repeats the table and a test keeps the two equal.
 */
export const ERROR_CATALOGUE = {
  // the request itself
  invalid_request: { status: 400, title: 'The request is not valid' },
  unknown_parameter: { status: 400, title: 'A query parameter is not known here' },
  invalid_cursor: { status: 400, title: 'The cursor is not one that this list gave out' },
  invalid_imei: { status: 400, title: 'Not a valid device id' },
  empty_batch: { status: 400, title: 'The batch holds no positions' },
  batch_too_large: { status: 400, title: 'The batch holds too many positions' },
  message_too_large: { status: 400, title: 'The message is too large' },
  unknown_event: { status: 400, title: 'The event is not known' },
  unknown_alarm_type: { status: 400, title: 'The type of alarm is not known' },
  invalid_file_name: { status: 400, title: 'The name is not one that a file may have' },
  digest_mismatch: { status: 400, title: 'The bytes are not those of the digest' },
  // who is asking
  token_missing: { status: 401, title: 'A bearer token is needed' },
  token_invalid: { status: 401, title: 'The token is not valid here' },
  token_expired: { status: 401, title: 'The token has expired' },
  login_refused: { status: 401, title: 'The login was refused' },
  forbidden: { status: 403, title: 'The role does not allow this' },
  // what is asked for
  not_found: { status: 404, title: 'Not found' },
  method_not_allowed: { status: 405, title: 'The method is not allowed here' },
  not_acceptable: { status: 406, title: 'No representation that the client accepts' },
  object_missing: { status: 404, title: 'The file of the video is lost' },
  command_not_found: { status: 404, title: 'This device has no such command' },
  range_not_satisfiable: { status: 416, title: 'The range lies outside the file' },
  device_exists: { status: 409, title: 'A device with this id exists' },
  user_exists: { status: 409, title: 'A user with this name exists' },
  last_admin: { status: 409, title: 'The last admin stays' },
  device_disabled: { status: 409, title: 'The device is disabled' },
  command_ended: { status: 409, title: 'The command has ended' },
  file_exists: { status: 409, title: 'The device has another file of this name' },
  offset_conflict: { status: 409, title: 'The upload does not stand at this offset' },
  upload_incomplete: { status: 409, title: 'Not all of the upload is there' },
  direct_upload_unavailable: { status: 409, title: 'The blob store takes no direct uploads' },
  idempotency_in_progress: { status: 409, title: 'The first request with this key is still running' },
  idempotency_key_reused: { status: 422, title: 'The key was used with another body' },
  unsupported_command: { status: 422, title: 'The protocol of the device has no such command' },
  unsupported_version: { status: 412, title: 'The version of the protocol is not supported' },
  body_too_large: { status: 413, title: 'The body is too large' },
  headers_too_large: { status: 431, title: 'The headers are too large' },
  unsupported_media_type: { status: 415, title: 'The media type is not supported' },
  unsupported_media: { status: 415, title: 'The bytes are neither a video nor a JPEG picture' },
  // limits and stores
  too_many_requests: { status: 429, title: 'Too many requests' },
  store_unavailable: { status: 503, title: 'A store is not available' },
  overloaded: { status: 503, title: 'Too much is waiting already' },
  disk_full: { status: 503, title: 'The disk is nearly full' },
  internal: { status: 500, title: 'Something went wrong on the server' },
} as const satisfies Record<string, { status: number; title: string }>

export type ErrorCode = keyof typeof ERROR_CATALOGUE

/** One field that was wrong: a dotted path into the body, or a query parameter's name. */
export interface FieldError {
  readonly path: string
  readonly code: FieldCode
  readonly message: string
}

export interface AppErrorOptions {
  /** When the same request may be worth sending again. */
  readonly retryAfterMs?: number
  readonly errors?: readonly FieldError[]
  /** Another one than the catalogue's, where a protocol asks for it. */
  readonly status?: number
  readonly cause?: unknown
}

/** A refusal that reaches the one who can act: a stable code and clear words. Each transport's filter translates it. */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly retryAfterMs: number | undefined
  readonly errors: readonly FieldError[] | undefined
  readonly status: number

  constructor(
    readonly code: ErrorCode,
    message?: string,
    options: AppErrorOptions = {},
  ) {
    super(message ?? ERROR_CATALOGUE[code].title, { cause: options.cause })
    this.retryAfterMs = options.retryAfterMs
    this.errors = options.errors
    this.status = options.status ?? ERROR_CATALOGUE[code].status
  }
}

import { ERRORS } from '@tus/server'
import { AppError, type ErrorCode } from '../../model/app-error.js'
import type { ResumableUpload } from '../../videos/resumable-uploads.js'

/** What the protocol's library refuses, by its own errors, in our words. */
const REFUSALS = new Map<unknown, readonly [ErrorCode, string]>([
  [ERRORS.MISSING_OFFSET, ['invalid_request', 'Send Upload-Offset: where these bytes begin']],
  [ERRORS.FILE_NOT_FOUND, ['not_found', 'There is no such upload']],
  [ERRORS.FILE_NO_LONGER_EXISTS, ['not_found', 'Nothing came for this upload for too long']],
  [ERRORS.INVALID_OFFSET, ['offset_conflict', 'The upload does not stand at this offset: ask with HEAD']],
  [ERRORS.ERR_SIZE_EXCEEDED, ['body_too_large', 'There are more bytes than the upload has left']],
  [ERRORS.ERR_MAX_SIZE_EXCEEDED, ['body_too_large', 'A video must not have so many bytes']],
  [
    ERRORS.INVALID_METADATA,
    ['invalid_request', 'Upload-Metadata: must be pairs of a key and a base64 value, by commas'],
  ],
  [
    ERRORS.UNSUPPORTED_CONCATENATION_EXTENSION,
    ['invalid_request', 'Uploads of one file in several (Upload-Concat) are not taken'],
  ],
])
const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = { 404: 'not_found', 413: 'body_too_large' }

/**
 * What a request of tus is refused with.
 * @param thrown by the library or by what it called
 * @param upload that the request is about, if that was found
 * @returns what is no refusal as it is
 */
export function tusRefusalOf(thrown: unknown, upload: ResumableUpload | undefined): unknown {
  if (thrown instanceof AppError) {
    // Clients would send the same again on a 409.
    return thrown.code === 'file_exists' ? new AppError('file_exists', thrown.message, { status: 422 }) : thrown
  }
  if (thrown === ERRORS.INVALID_LENGTH) return new AppError('invalid_request', lengthWords(upload))
  const known = REFUSALS.get(thrown)
  return known === undefined ? thrown : new AppError(...known)
}

/** The refusal of an answer that the library made itself. */
export function refusalOfStatus(status: number, words: string): AppError {
  return new AppError(CODE_OF_STATUS[status] ?? 'invalid_request', words.trim())
}

function lengthWords(upload: ResumableUpload | undefined): string {
  if (upload === undefined) return 'Send either Upload-Length or Upload-Defer-Length'
  const { length, offset } = upload
  return length === null
    ? `Upload-Length: the upload has ${offset} bytes already`
    : `Upload-Length: the upload was announced with ${length} bytes`
}

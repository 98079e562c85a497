import { AppError } from '../../model/app-error.js'
import { parseFileName } from '../../model/file-name.js'
import { parseTime } from '../../model/time.js'

/** @throws AppError `invalid_file_name`, also when there is none */
export function fileNameOf(name: string | null | undefined): string {
  const fileName = parseFileName(name ?? '')
  if (fileName !== undefined) return fileName
  throw new AppError(
    'invalid_file_name',
    'A name has 1 to 200 bytes of UTF-8, without slashes, control, invisible and bidirectional characters, and is neither blank nor . nor ..',
  )
}

/** What bytes that are no UTF-8 were read as. */
const REPLACED = '\uFFFD'

/**
 * A name that somebody else read from bytes. Where these were no UTF-8, names that differ would be read as one.
 * @throws AppError `invalid_file_name`
 */
export function decodedFileNameOf(name: string | null | undefined): string {
  if (name?.includes(REPLACED)) throw new AppError('invalid_file_name', 'The name is not in UTF-8')
  return fileNameOf(name)
}

/**
 * When the unit says that it was recorded.
 * @param path what the value is called where it stands
 * @throws AppError `invalid_request`
 */
export function recordedAtOf(value: string | null | undefined, path: string): number | null {
  if (value === null || value === undefined) return null
  const recordedAtMs = parseTime(value)
  if (recordedAtMs !== undefined) return recordedAtMs
  const message = 'must be ISO 8601 with a time and an offset, or epoch milliseconds'
  throw new AppError('invalid_request', `${path}: ${message}`, { errors: [{ path, code: 'invalid_time', message }] })
}

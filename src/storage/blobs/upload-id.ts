import { randomBytes } from 'node:crypto'
import type { BlobUploadId } from './blob-store.js'

const UPLOAD_ID = /^[0-9a-f]{32}$/

/** Nobody can guess it, and nobody has it. */
export function newUploadId(): BlobUploadId {
  return randomBytes(16).toString('hex')
}

export function isUploadId(id: string): boolean {
  return UPLOAD_ID.test(id)
}

export function noSuchUpload(): RangeError {
  return new RangeError('there is no such upload')
}

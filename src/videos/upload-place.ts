import type { UploadRecord } from '../storage/sql/upload-records.js'

/** A unit that is still at an upload comes for it within this, also over a network that drops. */
const LEFT_AFTER_MS = 15 * 60_000
/** How long an upload will take that bytes are coming for, nobody knows. */
const LOOK_AGAIN_MS = 60_000

/** The upload that gives its place up, or how long it takes until one may. */
export type UploadPlace = { readonly displaced: UploadRecord } | { readonly retryAfterMs: number }

/**
 * Whose place a new upload takes when its device has no other left. A unit that forgot where an upload was begins it again under its
 * name; one that forgot all of them would be shut out by its own leftovers. What bytes are coming for is never displaced.
 * @param open uploads of the device that are no video yet
 * @param isBusy whether somebody works on the upload of this id now
 */
export function placeAmong(
  open: readonly UploadRecord[],
  fileName: string,
  isBusy: (id: string) => boolean,
  nowMs: number,
): UploadPlace {
  const idle = open.filter(({ id }) => !isBusy(id)).sort((a, b) => a.updatedAtMs - b.updatedAtMs)
  const forgotten =
    idle.find((upload) => upload.fileName === fileName) ?? idle.find((upload) => isBegunAgain(upload, open))
  const displaced = forgotten ?? idle[0]
  if (displaced === undefined) return { retryAfterMs: LOOK_AGAIN_MS }
  const leftInMs = displaced.updatedAtMs + LEFT_AFTER_MS - nowMs
  if (forgotten !== undefined || leftInMs <= 0) return { displaced }
  return { retryAfterMs: idle.length < open.length ? Math.min(leftInMs, LOOK_AGAIN_MS) : leftInMs }
}

/** Of several uploads of one name, one becomes the video in the end. */
function isBegunAgain(upload: UploadRecord, open: readonly UploadRecord[]): boolean {
  return open.some(
    (other) => other !== upload && other.fileName === upload.fileName && other.createdAtMs >= upload.createdAtMs,
  )
}

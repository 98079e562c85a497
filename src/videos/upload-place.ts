/** A unit that is still at an upload comes for it within this, also over a network that drops. */
const LEFT_AFTER_MS = 15 * 60_000
/** How long an upload will take that bytes are coming for, nobody knows. */
const LOOK_AGAIN_MS = 60_000

/** An upload of a device that is no video yet. */
interface OpenUpload {
  readonly id: string
  readonly fileName: string
  readonly createdAtMs: number
  /** When the unit last came for it. */
  readonly updatedAtMs: number
}

/** The upload that gives its place up, or how long it takes until one may. */
export type UploadPlace<Upload> = { readonly displaced: Upload } | { readonly retryAfterMs: number }

/**
 * Whose place a new upload takes when its device has no other left. A unit that forgot where an upload was begins it again under its
 * name; one that forgot all of them would be shut out by its own leftovers. What bytes are coming for is never displaced.
 * @param open uploads of the device that are no video yet
 * @param isBusy whether somebody works on the upload of this id now
 * @param leftAfterMs a unit that did not come for an upload for so long will not come again
 */
export function placeAmong<Upload extends OpenUpload>(
  open: readonly Upload[],
  fileName: string,
  isBusy: (id: string) => boolean,
  nowMs: number,
  leftAfterMs = LEFT_AFTER_MS,
): UploadPlace<Upload> {
  const idle = open.filter(({ id }) => !isBusy(id)).sort((a, b) => a.updatedAtMs - b.updatedAtMs)
  const forgotten =
    idle.find((upload) => upload.fileName === fileName) ?? idle.find((upload) => isBegunAgain(upload, open))
  const displaced = forgotten ?? idle[0]
  if (displaced === undefined) return { retryAfterMs: LOOK_AGAIN_MS }
  const leftInMs = displaced.updatedAtMs + leftAfterMs - nowMs
  if (forgotten !== undefined || leftInMs <= 0) return { displaced }
  return { retryAfterMs: idle.length < open.length ? Math.min(leftInMs, LOOK_AGAIN_MS) : leftInMs }
}

/** Of several uploads of one name, one becomes the video in the end. */
function isBegunAgain(upload: OpenUpload, open: readonly OpenUpload[]): boolean {
  return open.some(
    (other) => other !== upload && other.fileName === upload.fileName && other.createdAtMs >= upload.createdAtMs,
  )
}

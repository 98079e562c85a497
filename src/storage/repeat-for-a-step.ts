/** A step of a removal ends after this, so that what came meanwhile waits no longer than for a batch. */
const STEP_MS = 5

/**
 * Does a piece of a removal, and again, for as long as one step may take.
 * @param work one piece, a few milliseconds; says whether it was the last one
 * @returns whether the last one was done
 */
export function repeatForAStep(work: () => boolean): boolean {
  const untilMs = performance.now() + STEP_MS
  do {
    if (work()) return true
  } while (performance.now() < untilMs)
  return false
}

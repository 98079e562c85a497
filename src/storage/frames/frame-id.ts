import { momentKey, readMomentKey } from '../positions/mongo-position-key.js'

/**
 * The id of a frame: nine characters of its moment and then its place in the order of arrival. Texts compare, byte by byte, as
 * (moment, arrival) do.
 * @param arrival 1, 2, … up to 2^48
 */
export function frameId(atMs: number, arrival: number): string {
  return momentKey(atMs, arrival)
}

/** @returns NaN of a text that is no id: nothing lies before or after that */
export function arrivalOf(id: string): number {
  return readMomentKey(id).discriminator
}

import type { Attributes } from '../model/position.js'

/** So many characters of what comes with a record count as one more record against the cap of what may wait. */
export const CHARACTERS_PER_RECORD = 256

/** What attributes add to the weight of their record. */
export function weightOf(attributes: Attributes | null): number {
  if (attributes === null) return 0
  let characters = 0
  for (const key in attributes) {
    const value = attributes[key]
    characters += key.length + (typeof value === 'string' ? value.length : 8)
  }
  return Math.ceil(characters / CHARACTERS_PER_RECORD)
}

/** Longest name in bytes of UTF-8. */
export const MAX_FILE_NAME_BYTES = 200

/** Control characters, halves of surrogate pairs, and what turns the direction of writing, so that a name is read other than it is. */
const UNWANTED = /[\p{Cc}\p{Cs}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/u
const SEPARATOR = /[/\\]/

/**
 * A name that a unit gave to a file: one path segment, in NFC. Names are data; nothing else is changed in them.
 * @returns undefined for an empty name, `.`, `..`, over 200 bytes, a `/` or `\` (also in its NFKC form), control or bidirectional
 * characters, and half surrogate pairs
 */
export function parseFileName(name: string): string | undefined {
  const fileName = name.normalize('NFC')
  if (fileName === '' || Buffer.byteLength(fileName) > MAX_FILE_NAME_BYTES) return undefined
  // The compatible forms of dots and slashes are what some file systems and tools make of a name.
  const compatible = fileName.normalize('NFKC')
  if (compatible === '.' || compatible === '..') return undefined
  return SEPARATOR.test(compatible) || UNWANTED.test(fileName) || UNWANTED.test(compatible) ? undefined : fileName
}

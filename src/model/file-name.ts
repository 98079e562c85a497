/** Longest name in bytes of UTF-8. */
export const MAX_FILE_NAME_BYTES = 200

/** Control characters, halves of surrogate pairs, and what turns the direction of writing, so that a name is read other than it is. */
const UNWANTED = /[\p{Cc}\p{Cs}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/u
/**
 * Unicode's other controls: ends of lines, and format characters that show nothing and mean nothing in a name, so that two names
 * would look the same. Joiners (U+200C, U+200D) are not among them: Persian words and many emoji are written with them.
 */
const UNSEEN = /[\p{Zl}\p{Zp}\u00AD\u180E\u200B\u2060-\u2064\u206A-\u206F\uFEFF\uFFF9-\uFFFB]/u
const BLANK = /^\p{Zs}*$/u
const SEPARATOR = /[/\\]/

/**
 * A name that a unit gave to a file: one path segment, in NFC. Names are data; nothing else is changed in them.
 * @returns undefined for an empty name (also of blanks alone), `.`, `..`, over 200 bytes, a `/` or `\` (also in its NFKC form), control
 * or bidirectional characters, and half surrogate pairs
 */
export function parseFileName(name: string): string | undefined {
  const fileName = name.normalize('NFC')
  if (BLANK.test(fileName) || UNSEEN.test(fileName) || Buffer.byteLength(fileName) > MAX_FILE_NAME_BYTES)
    return undefined
  // The compatible forms of dots and slashes are what some file systems and tools make of a name.
  const compatible = fileName.normalize('NFKC')
  if (compatible === '.' || compatible === '..') return undefined
  return SEPARATOR.test(compatible) || UNWANTED.test(fileName) || UNWANTED.test(compatible) ? undefined : fileName
}

import { createHash } from 'node:crypto'
import path from 'node:path'

/** Names that every file system keeps as they are and that no two of them take for each other. */
const PLAIN = /^(?!.*[. ]$)[a-z0-9_-][a-z0-9._ -]{0,199}$/
/** Devices of Windows, also with an ending. */
const RESERVED = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i
/** In no plain name: what follows tells names apart. */
const MARK = '%'
const READABLE_CHARACTERS = 120

/** Segments of a key. @throws RangeError not a key */
export function segmentsOf(key: string): string[] {
  const segments = key.split('/')
  if (segments.some((segment) => segment === '' || segment.includes('\0')))
    throw new RangeError('not a key of an object')
  return segments
}

/** Where the object is, below the directory of all objects. */
export function filePathOf(segments: readonly string[]): string {
  return pathOf(segments, true)
}

/** Where everything is whose key begins with the segments and goes on, below the directory of all objects. */
export function directoryPathOf(segments: readonly string[]): string {
  return pathOf(segments, false)
}

/**
 * A file and a directory never want the same name, so that `a/b` and `a/b/c` can both be: at the top the directories have the
 * plain names, below it the files. So most objects are found as `<deviceId>/<fileName>`.
 */
function pathOf(segments: readonly string[], endsInFile: boolean): string {
  const last = segments.length - 1
  return path.join(
    ...segments.map((segment, depth) => {
      const isFile = endsInFile && depth === last
      return isFile === depth > 0 ? nameOf(segment) : nameOf(segment) + MARK
    }),
  )
}

/**
 * A name that every file system can hold, for a segment that may hold anything: itself where that is safe, otherwise what can be
 * read of it and a hash of all of it. File systems ignore case, change the form of accents, drop dots and blanks at the end, hide
 * what begins with a dot, and take at most 255 bytes; names that they would mix up stay apart by their hash.
 */
function nameOf(segment: string): string {
  if (PLAIN.test(segment) && !RESERVED.test(segment)) return segment
  const readable = segment.slice(0, READABLE_CHARACTERS).replace(/[^A-Za-z0-9._ -]/g, '_')
  // UTF-16, since halves of surrogate pairs would be one in UTF-8.
  const hash = createHash('sha256').update(Buffer.from(segment, 'utf16le')).digest('hex')
  return `${readable.startsWith('.') || RESERVED.test(readable) ? '_' : ''}${readable}${MARK}${hash}`
}

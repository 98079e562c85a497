import type { DeviceId } from '../../model/device-id.js'
import { searchWordsOf } from '../../model/search-text.js'

/** The index keeps words up to here; what is longer is compared with the whole word afterwards. */
export const MAX_INDEXED_LENGTH = 64
/** Of a hostile alarm (20 names of 100 parts each) only so many words are kept. */
const MAX_WORDS = 400
/** Of columns of text up to 64 KiB; folding takes some letters apart, so that a short text may become longer than its column. */
const MAX_TEXT_BYTES = 60_000
/** Above everything that a word may go on with, on every database. */
const ABOVE_ALL = '\u{10FFFF}'
const HALF_A_PAIR = /[\uD800-\uDBFF]$/

/** Folded words, each after a blank: a word that begins with `w` is in it where ` w` is. */
export function alarmSearchText(fileNames: readonly string[], note: string | null): string {
  return joined(searchWordsOf({ labels: fileNames, prose: [note] }).slice(0, MAX_WORDS))
}

export function deviceSearchText(deviceId: DeviceId, name: string | null, plate: string | null): string {
  return joined(searchWordsOf({ labels: [deviceId, plate], prose: [name] }))
}

/** The words of such a text as the index keeps them, each once. */
export function indexedWords(searchText: string): string[] {
  if (searchText === '') return []
  return [...new Set(searchText.slice(1).split(' ').map(indexedPart))]
}

/** What the index may know of a word. */
export function indexedPart(word: string): string {
  const part = word.slice(0, MAX_INDEXED_LENGTH)
  return HALF_A_PAIR.test(part) ? part.slice(0, -1) : part
}

/** Bounds of all words that begin with this one: from the first, inclusive, to the second, exclusive. */
export function rangeOfWord(word: string): [string, string] {
  const part = indexedPart(word)
  return [part, part + ABOVE_ALL]
}

/** Words that would make it too long are left out; those that they were made of stay. */
function joined(words: readonly string[]): string {
  let text = ''
  let bytes = 0
  for (const word of words) {
    const more = Buffer.byteLength(word) + 1
    if (bytes + more > MAX_TEXT_BYTES) continue
    bytes += more
    text += ` ${word}`
  }
  return text
}

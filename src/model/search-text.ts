const COMBINING_MARKS = /\p{M}+/gu
const BETWEEN_WORDS = /[^\p{L}\p{N}]+/u
const BLANKS = /\s+/u
/** Of a token with more parts only the parts themselves and the whole are kept, so that a hostile name stays small. */
const MAX_JOINED_PARTS = 8

/** Text to be found, as far as it may be taken apart. */
export interface SearchFields {
  /** Found as a whole too, whatever stands between their words: ids, plates, file names. */
  readonly labels: readonly (string | null)[]
  /** Names and other prose, found by their words. */
  readonly prose: readonly (string | null)[]
}

/** The same text for whatever differs only in case, accents or width: `Ärger` and `ARGER`, `Straße` and `strasse`. */
export function foldText(text: string): string {
  const bare = text.normalize('NFKD').replace(COMBINING_MARKS, '')
  // Upper case takes apart what lower case has one letter for (ß), but not the capital of that (ẞ): it is made small before. The two
  // small sigmas are one letter.
  return bare.toLowerCase().toUpperCase().toLowerCase().replaceAll('ς', 'σ')
}

/**
 * The folded words that a thing is found by: a query finds it when each of its words is the beginning of one of these.
 * What punctuation takes apart is kept joined from each part to the end (`M-AB 123` as `mab123`, `ab123`, `123`), so that it is
 * found with, without and in the midst of its punctuation.
 * @returns each word once
 */
export function searchWordsOf({ labels, prose }: SearchFields): string[] {
  const tokens = [...texts(labels), ...texts(prose).flatMap((text) => text.split(BLANKS))]
  return [...new Set(tokens.flatMap(joinedParts))]
}

/** The folded words of what somebody is looking for. None although the text is not blank: it finds nothing. */
export function queryWordsOf(text: string): string[] {
  return [...new Set(wordsOf(text))]
}

function joinedParts(token: string): string[] {
  const parts = wordsOf(token)
  if (parts.length > MAX_JOINED_PARTS) return [parts.join(''), ...parts]
  return parts.map((_, from) => parts.slice(from).join(''))
}

function wordsOf(text: string): string[] {
  return foldText(text)
    .split(BETWEEN_WORDS)
    .filter((word) => word !== '')
}

function texts(values: readonly (string | null)[]): string[] {
  return values.filter((value) => value !== null)
}

import { parse } from 'csv-parse/sync'

/** A record longer than this is taken for one whose quote was never closed. */
const MAX_RECORD_CHARACTERS = 8192
const LF = 10
const CR = 13
const QUOTE = 34

/** One record of a CSV text. */
export interface CsvRecord {
  /** Number of the line it begins on, from 1; a quoted cell may span several. */
  readonly line: number
  /** undefined: not CSV (a stray or unclosed quote, or a record over 8192 characters). */
  readonly cells: readonly string[] | undefined
}

/** A line of the text: `end` is where its characters end, `next` where the next line begins. */
interface PhysicalLine {
  readonly end: number
  readonly next: number
}

/**
 * Reads CSV (RFC 4180; lines end with CRLF, LF or CR) record by record, holding one record at a time. Blank records are left
 * out. A record that is not CSV is given without cells, and reading goes on with the next line: a quote that somebody forgot
 * to close costs one line, not the rest of the file.
 */
export function* readCsv(text: string): Generator<CsvRecord> {
  for (let at = 0, line = 1; at < text.length; ) {
    const record = recordAt(text, at)
    const isBlank = record.cells?.every((cell) => cell.trim() === '') ?? false
    if (!isBlank) yield { line, cells: record.cells }
    at = record.next
    line += record.lines
  }
}

/** Number of lines of a text, a last one without a line end counted too. */
export function countLines(text: string): number {
  let lines = 0
  for (let at = 0; at < text.length; at = lineAt(text, at).next) lines++
  return lines
}

/** The record that begins at an offset, where the next one begins, and how many lines lie between. */
function recordAt(text: string, start: number) {
  const first = lineAt(text, start)
  let isQuoteOpen = false
  for (let at = start, lines = 1; ; lines++) {
    const { end, next } = lines === 1 ? first : lineAt(text, at)
    if (end - start > MAX_RECORD_CHARACTERS) break
    if (countQuotes(text, at, end) % 2 === 1) isQuoteOpen = !isQuoteOpen
    if (!isQuoteOpen) {
      const cells = parseRecord(text.slice(start, end))
      if (cells === undefined) break
      return { cells, next, lines }
    }
    if (next >= text.length) break
    at = next
  }
  return { cells: undefined, next: first.next, lines: 1 }
}

function lineAt(text: string, start: number): PhysicalLine {
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === LF) return { end: at, next: at + 1 }
    if (code === CR) return { end: at, next: text.charCodeAt(at + 1) === LF ? at + 2 : at + 1 }
  }
  return { end: text.length, next: text.length }
}

function countQuotes(text: string, start: number, end: number): number {
  let count = 0
  for (let at = start; at < end; at++) if (text.charCodeAt(at) === QUOTE) count++
  return count
}

function parseRecord(record: string): string[] | undefined {
  // Most records hold no quote, and making a parser for each is what reading a long file would spend its time on.
  if (!record.includes('"')) return record.split(',')
  try {
    const rows: string[][] = parse(record, { record_delimiter: ['\r\n', '\n', '\r'], relax_column_count: true })
    return rows.length === 1 ? rows[0] : undefined
  } catch {
    return undefined
  }
}

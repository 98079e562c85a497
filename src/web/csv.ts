import { stringify } from 'csv-stringify/sync'

const FORMULA_START = /^[=+\-@\t\r]/

/** Text that a spreadsheet would take for a formula gets a leading apostrophe; numbers never. */
export function guardFormula<T>(cell: T): T | string {
  return typeof cell === 'string' && FORMULA_START.test(cell) ? `'${cell}` : cell
}

/** Rows as CSV lines (RFC 4180, CRLF); null is an empty cell, an object its JSON. */
export function toCsv(rows: ReadonlyArray<readonly unknown[]>): string {
  return stringify(
    rows.map((row) => row.map((cell) => guardFormula(toCell(cell)))),
    // The library quotes a cell that holds the whole record delimiter; a lone CR or LF would break the line just as well.
    { record_delimiter: 'windows', quoted_match: /[\r\n]/, cast: { boolean: String } },
  )
}

function toCell(cell: unknown): unknown {
  return typeof cell === 'object' && cell !== null ? JSON.stringify(cell) : cell
}

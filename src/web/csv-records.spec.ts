import { countLines, readCsv } from './csv-records.js'

const read = (text: string) => [...readCsv(text)]

describe('readCsv', () => {
  it('reads lines that end with CRLF, LF or CR, with and without a last line end', () => {
    const expected = [
      { line: 1, cells: ['a', 'b'] },
      { line: 2, cells: ['1', ''] },
    ]
    for (const text of ['a,b\r\n1,\r\n', 'a,b\n1,\n', 'a,b\r1,', 'a,b\r\n1,']) expect(read(text)).toEqual(expected)
  })

  it('reads quoted cells with commas, doubled quotes and line ends, and counts the lines of the file', () => {
    expect(read('a,"b,""c"""\r\n"x\r\ny\nz",2\r\nlast,3')).toEqual([
      { line: 1, cells: ['a', 'b,"c"'] },
      { line: 2, cells: ['x\r\ny\nz', '2'] },
      { line: 5, cells: ['last', '3'] },
    ])
  })

  it('leaves out blank lines and rows of empty cells, but counts them', () => {
    expect(read('a\n\n  \n,,\n"",\nb\n')).toEqual([
      { line: 1, cells: ['a'] },
      { line: 6, cells: ['b'] },
    ])
  })

  it('loses one line to a quote that is never closed', () => {
    expect(read('a,1\nb,"2\nc,3\nd,4\n')).toEqual([
      { line: 1, cells: ['a', '1'] },
      { line: 2, cells: undefined },
      { line: 3, cells: ['c', '3'] },
      { line: 4, cells: ['d', '4'] },
    ])
  })

  it('loses one line to a quote within an unquoted cell, even when a later line has one too', () => {
    expect(read('a,5" pipe\nb,2\nc,6" pipe\nd,4\n')).toEqual([
      { line: 1, cells: undefined },
      { line: 2, cells: ['b', '2'] },
      { line: 3, cells: undefined },
      { line: 4, cells: ['d', '4'] },
    ])
  })

  it('refuses words after a closing quote', () => {
    expect(read('"a"b,1\nc,2')).toEqual([
      { line: 1, cells: undefined },
      { line: 2, cells: ['c', '2'] },
    ])
  })

  it('takes a record of 8192 characters and not one more', () => {
    const fits = 'x'.repeat(8192)
    expect(read(`${fits}\n${fits}x\n"${'\n'.repeat(8192)}"\nb`).filter(({ line }) => line < 3)).toEqual([
      { line: 1, cells: [fits] },
      { line: 2, cells: undefined },
    ])
  })

  it('looks at a record and not at the rest of the text when every quote is closed badly', () => {
    const lines = 10_000
    const { charCodeAt } = String.prototype
    let looks = 0
    try {
      String.prototype.charCodeAt = function (at) {
        looks += 1
        return charCodeAt.call(this, at)
      }
      const records = read('"x\n'.repeat(lines))
      expect([records.length, records.every(({ cells }) => cells === undefined)]).toEqual([lines, true])
    } finally {
      String.prototype.charCodeAt = charCodeAt
    }
    // Two lines of three characters: once for their ends and once for their quotes.
    expect(looks).toBeGreaterThan(lines)
    expect(looks / lines).toBeLessThanOrEqual(12)
  })

  it('reads nothing from an empty text', () => {
    expect(read('')).toEqual([])
  })

  it('counts lines however they end', () => {
    expect(['', 'a', 'a\n', 'a\r\nb', '\r\r\n\n'].map(countLines)).toEqual([0, 1, 1, 2, 3])
  })
})

import { toCsv } from './csv.js'

describe('toCsv', () => {
  it('guards text that a spreadsheet would run, never numbers', () => {
    expect(toCsv([['=1+1', '+x', '-x', '@x', '\tx', '\rx', -5, 'a=b']])).toBe(
      `'=1+1,'+x,'-x,'@x,'\tx,"'\rx",-5,a=b\r\n`,
    )
  })

  it('quotes as RFC 4180 says, and leaves null empty', () => {
    expect(toCsv([['a,b', 'say "x"', 'two\nlines', null, true, 1.5]])).toBe(
      '"a,b","say ""x""","two\nlines",,true,1.5\r\n',
    )
  })
})

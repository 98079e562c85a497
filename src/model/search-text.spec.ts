import { foldText, queryWordsOf, searchWordsOf } from './search-text.js'

describe('folding text', () => {
  it.each([
    ['ÄRGER', 'arger'],
    ['Straße', 'strasse'],
    ['STRAẞE', 'strasse'],
    ['ΟΔΟΣ', 'οδοσ'],
    ['ＭＡＮ', 'man'],
    ['İstanbul', 'istanbul'],
    ['Łódź', 'łodz'],
    ['ﬁnal', 'final'],
    ['грузови́к', 'грузовик'],
    ['', ''],
  ])('takes %s as %s', (text, folded) => {
    expect(foldText(text)).toBe(folded)
  })

  it('gives every letter, its capital and its small letter one form, but for the iota that is written below others', () => {
    const others: string[] = []
    for (let code = 0; code < 0x11_0000; code++) {
      const letter = String.fromCodePoint(code)
      const decomposed = letter.normalize('NFKD')
      if (!/\p{L}/u.test(letter) || decomposed.includes('\u0345')) continue
      const forms = [letter, letter.toUpperCase(), letter.toLowerCase(), letter.toUpperCase().toLowerCase(), decomposed]
      if (new Set(forms.map(foldText)).size > 1) others.push(letter)
    }
    expect(others).toEqual([])
  })
})

describe('search words', () => {
  const plate = (text: string) => searchWordsOf({ labels: [text], prose: [] })

  it('keep a label joined from each of its parts to its end', () => {
    expect(plate('M-AB 123')).toEqual(['mab123', 'ab123', '123'])
    expect(plate('356938035643809')).toEqual(['356938035643809'])
  })

  it('keep each word of prose, and what punctuation takes apart joined too', () => {
    expect(searchWordsOf({ labels: [], prose: ['North Depot', 'Ford F-150', null] })).toEqual([
      'north',
      'depot',
      'ford',
      'f150',
      '150',
    ])
  })

  it('stay few for a label of very many parts', () => {
    const words = plate('a-b-c-d-e-f-g-h-i-j')

    expect(words).toEqual(['abcdefghij', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'])
  })

  it.each(['m-ab', 'ab', '123', 'mab123', 'M AB', 'm-ab12', 'ab-12', 'MAB-123', '12', 'm'])(
    'find the plate M-AB 123 by %s',
    (query) => {
      expect(finds(plate('M-AB 123'), query)).toBe(true)
    },
  )

  it.each(['b', '23', 'x', 'mb', 'm-ab 124'])('do not find the plate M-AB 123 by %s', (query) => {
    expect(finds(plate('M-AB 123'), query)).toBe(false)
  })

  it('take what is no letter and no digit out of a query', () => {
    expect(queryWordsOf(' 100% _under%score\\ north-east NORTH ')).toEqual(['100', 'under', 'score', 'north', 'east'])
    expect(queryWordsOf('%%')).toEqual([])
  })

  function finds(words: readonly string[], query: string): boolean {
    return queryWordsOf(query).every((word) => words.some((one) => one.startsWith(word)))
  }
})

import { bearerTokenOf } from './bearer-token.js'

describe('bearerTokenOf', () => {
  it.each([
    ['Bearer abc.def.ghi', 'abc.def.ghi'],
    ['bearer   abc', 'abc'],
    ['BEARER abc', 'abc'],
    ['Bearer a b', 'a b'],
    ['Bearer', undefined],
    ['Bearer ', undefined],
    ['Basic YWRtaW46YWRtaW4=', undefined],
    ['abc', undefined],
    [undefined, undefined],
  ])('finds in %p the token %p', (header, token) => {
    expect(bearerTokenOf(header)).toBe(token)
  })
})

import { z } from 'zod'
import { Cursors } from './cursor.js'

const cursors = new Cursors('devices', z.tuple([z.string()]))

describe('Cursors', () => {
  it('reads back what it wrote', () => expect(cursors.decode(cursors.encode(['Ω/1']))).toEqual(['Ω/1']))
  it('starts at the beginning without one', () => expect(cursors.decode(undefined)).toBeUndefined())

  it.each(['', 'x', '!!!', Buffer.from('[]').toString('base64url'), Buffer.from('{"a":1}').toString('base64url')])(
    'refuses %j',
    (text) => expect(() => cursors.decode(text)).toThrow(expect.objectContaining({ code: 'invalid_cursor' })),
  )

  it('refuses one of another list', () => {
    const other = new Cursors('users', z.tuple([z.string()])).encode(['a'])
    expect(() => cursors.decode(other)).toThrow(expect.objectContaining({ code: 'invalid_cursor' }))
  })

  it('gives a cursor only when more rows follow', () => {
    const page = (rows: string[]) =>
      cursors.page(
        rows,
        2,
        (row) => [row],
        (row) => row.toUpperCase(),
      )
    expect(page(['a', 'b'])).toEqual({ items: ['A', 'B'], nextCursor: null })
    expect(page(['a', 'b', 'c'])).toEqual({ items: ['A', 'B'], nextCursor: cursors.encode(['b']) })
    expect(page([])).toEqual({ items: [], nextCursor: null })
  })
})

import {
  decodeCommandReply,
  decodeCommandResult,
  MAX_MESSAGE_CHARACTERS,
  MAX_RESULT_CHARACTERS,
  MAX_RESULT_DEPTH,
} from './decode-command-result.js'

const nested = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels))

describe('decodeCommandReply', () => {
  it('takes the three answers, with what the unit has to say', () => {
    expect(decodeCommandReply({ status: 'accepted' })).toEqual({ status: 'accepted', result: null, message: null })
    expect(decodeCommandReply({ status: 'done', result: { fileName: 'a.mp4' }, message: 'ok', more: 1 })).toEqual({
      status: 'done',
      result: { fileName: 'a.mp4' },
      message: 'ok',
    })
    expect(decodeCommandReply({ status: 'failed', result: 0, message: '' })).toEqual({
      status: 'failed',
      result: 0,
      message: null,
    })
  })

  it.each([[undefined], [null], ['done'], [[]], [{}], [{ status: 'DONE' }], [{ status: 'cancelled' }]])(
    'takes %j for no answer',
    (answer) => {
      expect(decodeCommandReply(answer)).toBeUndefined()
    },
  )

  it('leaves out a result that is too large or too deep, says so, and keeps the state', () => {
    const text = (length: number) => 'x'.repeat(length - 2)
    const kept = (result: unknown) => decodeCommandReply({ status: 'done', result })?.result
    expect(kept(text(MAX_RESULT_CHARACTERS))).toBe(text(MAX_RESULT_CHARACTERS))
    expect(kept(text(MAX_RESULT_CHARACTERS + 1))).toBeNull()
    expect(kept(nested(MAX_RESULT_DEPTH))).toEqual(nested(MAX_RESULT_DEPTH))
    expect(kept(nested(MAX_RESULT_DEPTH + 1))).toBeNull()
    expect(kept(nested(400_000))).toBeNull()
    const leftOut = { result: null, message: 'm', isResultLeftOut: true }
    const wide = text(MAX_RESULT_CHARACTERS + 1)
    expect(decodeCommandReply({ status: 'done', result: wide, message: 'm' })).toEqual({ status: 'done', ...leftOut })
    expect(decodeCommandResult({ id: 'c1', status: 'failed', result: wide, message: 'm' }, 'd1')).toEqual({
      id: 'c1',
      deviceId: 'd1',
      status: 'failed',
      ...leftOut,
    })
  })

  it('cuts a message, and leaves out what no person can read', () => {
    const kept = (message: unknown) => decodeCommandReply({ status: 'failed', message })?.message
    expect(kept('é'.repeat(MAX_MESSAGE_CHARACTERS + 5))).toBe('é'.repeat(MAX_MESSAGE_CHARACTERS))
    expect(kept('a\u0000b\u001bc\td\ne')).toBe('abc\td\ne')
    expect(kept('\u0000')).toBeNull()
    expect(kept(`${'x'.repeat(MAX_MESSAGE_CHARACTERS - 1)}😀`)).toBe(`${'x'.repeat(MAX_MESSAGE_CHARACTERS - 1)}\ufffd`)
    expect(kept(7)).toBeNull()
  })
})

describe('decodeCommandResult', () => {
  it('says which command of which device ended, and how', () => {
    expect(decodeCommandResult({ id: 'c1', status: 'failed', message: 'no disk' }, 'd1')).toEqual({
      id: 'c1',
      deviceId: 'd1',
      status: 'failed',
      result: null,
      message: 'no disk',
    })
  })

  it.each([
    [{ status: 'done' }],
    [{ id: 1, status: 'done' }],
    [{ id: 'c1', status: 'accepted' }],
    [{ id: 'c1' }],
    ['c1'],
  ])('refuses %j', (body) => {
    expect(decodeCommandResult(body, 'd1')).toBeUndefined()
  })
})

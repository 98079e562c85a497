import { toCommandReply } from './to-command-reply.js'

const reply = (message: string | null) => toCommandReply({ key: 'response', status: 'done', result: null, message })

describe("what is kept of a tracker's answer", () => {
  it('is its words', () => {
    expect(reply('DI1:1 DI2:0')).toEqual({ status: 'done', result: null, message: 'DI1:1 DI2:0' })
    expect(reply(null)).toEqual({ status: 'done', result: null, message: null })
    expect(reply('')).toEqual({ status: 'done', result: null, message: null })
  })

  it('is without what a database may end a text at', () => {
    expect(reply('a\u0000b\u0007c')).toEqual({ status: 'done', result: null, message: 'abc' })
  })

  it('is all of a long text as the result', () => {
    const text = 'x'.repeat(1001)
    expect(reply(text)).toEqual({ status: 'done', result: text, message: text.slice(0, 1000) })
    const tooLong = 'x'.repeat(16_384)
    expect(reply(tooLong)).toEqual({
      status: 'done',
      result: null,
      message: tooLong.slice(0, 1000),
      isResultLeftOut: true,
    })
  })
})

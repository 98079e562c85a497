import { between, exactly } from './expected-ack.js'

const HEAD = '4312'
const judge = (isExpected: ReturnType<typeof exactly>, body: string) =>
  isExpected(Buffer.from(HEAD + body), HEAD.length)

describe('what is expected of an acknowledgement', () => {
  it('is the whole text', () => {
    expect(judge(exactly('[{"accepted":1}]'), '[{"accepted":1}]')).toBe(true)
    expect(judge(exactly('[{"accepted":1}]'), '[{"accepted":1}] ')).toBe(false)
  })

  it('is how it begins and ends', () => {
    const isNew = between('[{"id":"', '","duplicate":false}]')
    expect(judge(isNew, '[{"id":"7f","duplicate":false}]')).toBe(true)
    expect(judge(isNew, '[{"id":"7f","duplicate":true}]')).toBe(false)
    expect(judge(isNew, '[{"error":{"code":"overloaded"}}]')).toBe(false)
    expect(judge(between('[{', '{]'), '[{]')).toBe(false)
  })
})

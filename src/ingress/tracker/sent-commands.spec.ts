import { SentCommands } from './sent-commands.js'

describe('commands that were sent to trackers', () => {
  it('are given numbers in a row, of each device its own', () => {
    const sent = new SentCommands()
    const first = sent.nextSerial('a')
    sent.nextSerial('b')
    expect(sent.nextSerial('a')).toBe((first + 1) % 0x10000)
    for (let n = 0; n < 0x10000; n++) {
      const serial = sent.nextSerial('c')
      if (serial < 0 || serial > 0xffff) throw new Error(`${serial}`)
    }
  })

  it('are found by device and key', () => {
    const sent = new SentCommands()
    sent.noteNumbered('a', '000F', 'one')
    sent.noteNumbered('b', '000F', 'two')
    expect(sent.claim('a', '000F')).toBe('one')
    expect(sent.claim('b', '000F')).toBe('two')
    expect(sent.claim('a', '0010')).toBeUndefined()
    expect(sent.claim('c', '000F')).toBeUndefined()
  })

  it('are those that a key was used for last', () => {
    const sent = new SentCommands()
    sent.noteNumbered('a', 'FFFF', 'one')
    sent.noteNumbered('a', 'FFFF', 'two')
    expect(sent.claim('a', 'FFFF')).toBe('two')
  })

  it('are forgotten after sixteen newer ones', () => {
    const sent = new SentCommands()
    for (let n = 0; n <= 16; n++) sent.noteNumbered('a', `key ${n}`, `id ${n}`)
    expect(sent.claim('a', 'key 0')).toBeUndefined()
    expect(sent.claim('a', 'key 1')).toBe('id 1')
  })

  it('are those that a connection ended on too, for the next answer and for a time', () => {
    const sent = new SentCommands()
    sent.noteCutOff('a', 'response', 'one', Date.now() + 1000)
    expect(sent.claim('a', 'response')).toBe('one')
    expect(sent.claim('a', 'response')).toBeUndefined()
    sent.noteCutOff('a', 'response', 'two', Date.now() - 1)
    expect(sent.claim('a', 'response')).toBeUndefined()
    sent.noteNumbered('a', '7', 'three')
    expect([sent.claim('a', '7'), sent.claim('a', '7')]).toEqual(['three', 'three'])
  })
})

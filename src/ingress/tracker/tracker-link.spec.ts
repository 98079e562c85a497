import { setTimeout as sleep } from 'node:timers/promises'
import type { TrackerReply } from '../../codecs/tracker-codec.js'
import type { CommandOrder } from '../../model/command.js'
import { SentCommands } from './sent-commands.js'
import { TrackerLink } from './tracker-link.js'

const order = (id: string, text: string): CommandOrder => ({ id, type: 'CUSTOM', params: { text }, expiresAtMs: 0 })
const reply = (key: string, message = 'ok'): TrackerReply => ({ key, status: 'done', result: null, message })

/** A wire whose codec writes a command as its text; what begins with `#` is answered by its number, `!` is not answered at all. */
function build() {
  const written: string[] = []
  const closed: string[] = []
  const sent = new SentCommands()
  const state = { isGone: false }
  const wire = {
    codec: {
      encodeCommand: ({ params }: Pick<CommandOrder, 'params'>, { serial }: { serial: number }) => {
        const text = String(params.text)
        if (text === '') return { unsupported: 'nothing to say' }
        if (text.startsWith('!')) return { bytes: Buffer.from(text) }
        if (text.startsWith('#')) return { bytes: Buffer.from(text), replyKey: String(serial), isNumbered: true }
        return { bytes: Buffer.from(text), replyKey: 'next' }
      },
    },
    transport: 'tcp' as const,
    sent,
    write: (bytes: Buffer) => {
      if (!state.isGone) written.push(bytes.toString())
      return !state.isGone
    },
    end: (code: string) => closed.push(code),
  }
  const device = { deviceId: '356307042441013', model: null, sack: false, commandPassword: null }
  return { link: new TrackerLink(device, wire), written, closed, sent, state }
}

describe('link to a tracker', () => {
  it('gives the next answer to the command that is under way', async () => {
    const { link, written } = build()
    const first = link.sendCommand(order('a', 'one'), 5000)
    expect(link.takeReply(reply('next', 'first'))).toBe(true)
    expect(await first).toEqual({ status: 'done', result: null, message: 'first' })
    const second = link.sendCommand(order('b', 'two'), 5000)
    expect(link.takeReply(reply('next', 'second'))).toBe(true)
    expect(await second).toEqual({ status: 'done', result: null, message: 'second' })
    expect(link.takeReply(reply('next', 'third'))).toBe(false)
    expect(written).toEqual(['one', 'two'])
  })

  it('gives answers without numbers in the order of the commands', async () => {
    const { link } = build()
    const [first, second] = [link.sendCommand(order('a', 'one'), 5000), link.sendCommand(order('b', 'two'), 5000)]
    for (const message of ['1', '2']) link.takeReply(reply('next', message))
    expect([(await first)?.message, (await second)?.message]).toEqual(['1', '2'])
  })

  it('is busy while it waits for an answer without a number', async () => {
    const { link } = build()
    const numbered = link.sendCommand(order('a', '#one'), 5)
    expect([link.isBusy, link.isWaiting]).toEqual([false, true])
    const answered = link.sendCommand(order('b', 'two'), 5000)
    expect(link.isBusy).toBe(true)
    link.takeReply(reply('next'))
    await answered
    expect(link.isBusy).toBe(false)
    const unanswered = link.sendCommand(order('c', 'three'), 5)
    expect(link.isBusy).toBe(true)
    expect(await Promise.all([numbered, unanswered])).toEqual([undefined, undefined])
    expect(link.isBusy).toBe(false)
  })

  it('leaves the answer of another number', async () => {
    const { link, sent } = build()
    const waiting = link.sendCommand(order('a', '#one'), 5000)
    const serial = sent.nextSerial('356307042441013') - 1
    expect(link.takeReply(reply('other'))).toBe(false)
    expect(link.isWaiting).toBe(true)
    expect(link.takeReply(reply(String((serial + 0x10000) % 0x10000)))).toBe(true)
    expect((await waiting)?.status).toBe('done')
    expect(link.isWaiting).toBe(false)
  })

  it('remembers by number which command went out, and only those', async () => {
    const { link, sent } = build()
    const find = jest.spyOn(sent, 'noteNumbered')
    void link.sendCommand(order('a', '#one'), 5000)
    void link.sendCommand(order('b', 'two'), 5000)
    expect(find.mock.calls.map(([deviceId, , id]) => [deviceId, id])).toEqual([['356307042441013', 'a']])
    link.ended()
  })

  it('takes a command that nothing answers for done when it is written', async () => {
    expect(await build().link.sendCommand(order('a', '!server'), 5000)).toEqual({
      status: 'done',
      result: null,
      message: null,
    })
  })

  it('writes nothing of a command that the protocol lacks', async () => {
    const { link, written } = build()
    expect(await link.sendCommand(order('a', ''), 5000)).toEqual({
      status: 'failed',
      result: null,
      message: 'unsupported_command: nothing to say',
    })
    expect(written).toEqual([])
  })

  it('gives up after the time, and knows nothing of an answer that comes then', async () => {
    const { link } = build()
    expect(await link.sendCommand(order('a', 'one'), 10)).toBeUndefined()
    expect(link.takeReply(reply('next'))).toBe(false)
    const next = link.sendCommand(order('b', 'two'), 5000)
    expect(link.takeReply(reply('next', 'two'))).toBe(true)
    expect((await next)?.message).toBe('two')
  })

  it('settles with nothing when it is closed, and writes nothing more', async () => {
    const { link, written, closed } = build()
    const waiting = link.sendCommand(order('a', 'one'), 5000)
    link.close('device_disabled')
    expect(await waiting).toBeUndefined()
    expect(await link.sendCommand(order('b', 'two'), 5000)).toBeUndefined()
    expect([written, closed]).toEqual([['one'], ['device_disabled']])
  })

  it('leaves a command without a number to the next answer on another connection, for the rest of its time', async () => {
    const { link, sent } = build()
    const answered = link.sendCommand(order('a', 'one'), 5000)
    link.takeReply(reply('next'))
    await answered
    void link.sendCommand(order('b', 'two'), 5000)
    void link.sendCommand(order('c', '#three'), 5000)
    link.ended()
    link.ended()
    expect(sent.claim('356307042441013', 'next')).toBe('b')
    expect(sent.claim('356307042441013', 'next')).toBeUndefined()
    expect(await build().link.sendCommand(order('d', 'four'), 1)).toBeUndefined()
  })

  it('knows nothing of a command that could not be written', async () => {
    const { link, sent, state } = build()
    state.isGone = true
    const note = jest.spyOn(sent, 'noteNumbered')
    expect(await link.sendCommand(order('a', '#one'), 5000)).toBeUndefined()
    expect([link.isWaiting, note.mock.calls.length]).toEqual([false, 0])
    await sleep(1)
  })
})

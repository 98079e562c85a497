import type { RawArchive } from '../../pipeline/raw-archive.js'
import { MessageArchive, MOST_MESSAGE_BYTES } from './message-archive.js'

function build(takes: RawArchive['takes']) {
  const kept: string[] = []
  const dropped: string[] = []
  const archive = {
    takes,
    keep: ({ direction, link, bytes }) => void kept.push(`${direction} ${link} ${Buffer.from(bytes).toString()}`),
    drop: (reason) => void dropped.push(reason),
  } as Pick<RawArchive, 'takes' | 'keep' | 'drop'> as RawArchive
  return { messages: new MessageArchive(archive), kept, dropped }
}

describe('messages of sockets on their way to the archive', () => {
  it('are archived as events with payloads, and answers', () => {
    const { messages, kept } = build('all')
    const first = messages.open('7')
    messages.open('7')?.answer('out', 'alarm', { id: '1' })
    first?.event('in', 'location', { time: 1 })
    expect(kept).toEqual([
      'out socket#2 {"event":"alarm","answer":{"id":"1"}}',
      'in socket#1 {"event":"location","payload":{"time":1}}',
    ])
  })

  it('never hold a token, however it is sent', () => {
    const { messages, kept } = build('all')
    const unit = messages.open('7')
    unit?.event('in', 'auth', { token: 'secret' })
    unit?.event('in', 'auth', 'secret')
    unit?.event('in', 'Auth', { token: 'secret' })
    unit?.event('in', { token: 'secret' }, 'secret')
    unit?.event('in', `${'x'.repeat(50)}secret`, null)
    expect(kept.join('\n')).not.toContain('secret')
    expect(kept[0]).toBe('in socket#1 {"event":"auth"}')
  })

  it('are cut after 64 KiB, and counted when they cannot be written', () => {
    const { messages, kept, dropped } = build('all')
    const unit = messages.open('7')
    unit?.event('in', 'location', 'x'.repeat(100_000))
    expect(kept[0]?.length).toBe('in socket#1 '.length + MOST_MESSAGE_BYTES)
    let nested: unknown = 1
    for (let depth = 0; depth < 100_000; depth++) nested = [nested]
    unit?.event('in', 'location', nested)
    expect([kept.length, dropped]).toEqual([1, ['unwritable']])
  })

  it.each(['off', 'trackers'] as const)('are not archived when %s are', (takes) => {
    expect(build(takes).messages.open('7')).toBeUndefined()
  })
})

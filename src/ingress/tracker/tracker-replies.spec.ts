import { Logger } from '@nestjs/common'
import { Metrics } from '../../metrics/metrics.js'
import { AppError } from '../../model/app-error.js'
import type { CommandResult } from '../../model/command.js'
import type { CommandResults } from '../../pipeline/command-results.js'
import { SentCommands } from './sent-commands.js'
import { TrackerReplies } from './tracker-replies.js'

function build() {
  const taken: CommandResult[] = []
  const failures: unknown[] = []
  const metrics = new Metrics()
  const sent = new SentCommands()
  const results = {
    takeOnce: (result: CommandResult) => taken.push(result),
    take: async (result: CommandResult) => {
      if (failures.length > 0) throw failures.shift()
      taken.push(result)
    },
  } as unknown as CommandResults
  return { taken, failures, metrics, sent, replies: new TrackerReplies(sent, results, metrics) }
}

const answer = { status: 'done' as const, result: null, message: 'ok' }

describe('answers that no connection waits for', () => {
  beforeAll(() => Logger.overrideLogger(false))
  afterAll(() => Logger.overrideLogger(['error']))

  it('reach the command that they name by a number', () => {
    const { replies, sent, taken } = build()
    sent.noteNumbered('a', '002A', 'command')
    replies.handleUnasked({ ...answer, key: '002A' }, 'a', 'queclink')
    expect(taken).toEqual([{ id: 'command', deviceId: 'a', ...answer }])
  })

  it('are counted where nobody knows what they belong to', async () => {
    const { replies, sent, taken, metrics } = build()
    sent.noteNumbered('a', '002A', 'command')
    replies.handleUnasked({ ...answer, key: '002A' }, 'b', 'queclink')
    replies.handleUnasked({ ...answer, key: '002B' }, 'a', 'queclink')
    expect(taken).toEqual([])
    expect(await metrics.registry.getSingleMetricAsString('milepost_tracker_replies_unasked_total')).toContain(
      'milepost_tracker_replies_unasked_total{protocol="queclink"} 2',
    )
  })
})

describe('answers that are repeated until they are acknowledged', () => {
  it('are settled when the store has taken them, and not before', async () => {
    const { replies, sent, taken, failures } = build()
    sent.noteNumbered('a', '42', 'command')
    failures.push(new AppError('store_unavailable'))
    const settle = () => replies.settle({ ...answer, key: '42' }, 'a', 'galileosky')
    await expect(settle()).rejects.toMatchObject({ code: 'store_unavailable' })
    expect(taken).toEqual([])
    await settle()
    await settle()
    const result = { id: 'command', deviceId: 'a', ...answer }
    expect(taken).toEqual([result, result])
  })

  it('are settled when there is nothing to be stored of them', async () => {
    const { replies, sent, taken, failures } = build()
    await replies.settle({ ...answer, key: '43' }, 'a', 'galileosky')
    sent.noteNumbered('a', '42', 'command')
    failures.push(new AppError('command_not_found'))
    await replies.settle({ ...answer, key: '42' }, 'a', 'galileosky')
    expect(taken).toEqual([])
    failures.push(new TypeError('a mistake'))
    await expect(replies.settle({ ...answer, key: '42' }, 'a', 'galileosky')).rejects.toThrow(TypeError)
  })
})

import { z } from 'zod'
import { atRest, ManualClock } from '../../test/simulator/manual-clock.js'
import { ScriptedLink } from '../../test/simulator/scripted-transport.js'
import { Courier } from './courier.js'
import { DurableQueue } from './durable-queue.js'

const HEALTH = { noteAnswer: () => {}, noteSuccess: () => {}, noteSilence: () => {} }
const OVERLOADED = { kind: 'refused', refusal: { code: 'overloaded', message: '', retryAfterMs: 60_000 } } as const

function start(handleSent: (courier: Courier<string, undefined>) => void = () => {}) {
  const clock = new ManualClock()
  const queue = new DurableQueue(z.string(), (item) => item)
  const sent: string[] = []
  const courier: Courier<string, undefined> = new Courier<string, undefined>(
    {
      clock,
      random: () => 0,
      queue,
      send: async (_link, item) => {
        sent.push(item)
        handleSent(courier)
        return OVERLOADED
      },
      lastingRefusals: new Set(),
      handleChange: () => {},
      handleFailure: (error) => {
        throw error
      },
    },
    { inFlight: 1, ackTimeoutMs: 1000, dropAcks: 0 },
  )
  queue.add('a')
  courier.handleLink(new ScriptedLink(() => undefined), HEALTH)
  return { clock, courier, sent }
}

it('waits as long as a refusal asks, then carries the same again', async () => {
  const { clock, sent } = start()
  await atRest()
  await clock.advance(59_999)
  expect(sent).toEqual(['a'])
  await clock.advance(1)
  expect(sent).toEqual(['a', 'a'])
})

it('waits for nothing after its end, also when a refusal comes in that moment', async () => {
  const { clock, courier, sent } = start((one) => one.stop())
  await atRest()
  expect(sent).toEqual(['a'])
  expect([courier.pending, clock.pending]).toEqual([1, 0])
})

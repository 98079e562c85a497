import fc from 'fast-check'
import { hasEnded } from '../model/command.js'
import type { CommandRecord } from '../storage/sql/command-records.js'
import * as life from './command-life.js'

const T = 1_700_000_000_000
const TTL = 86_400_000
const RESULT_WITHIN = 600_000
const DONE = { status: 'done', result: { ok: true }, message: 'well' } as const

const queued = (changes: Partial<life.CommandWish> = {}): CommandRecord => ({
  ...life.begin({ deviceId: 'd', type: 'RESET', params: {}, ttlMs: TTL, createdBy: 'ann', ...changes }, T),
  id: 'c',
  revision: 1,
})
const must = (command: CommandRecord | undefined): CommandRecord => {
  if (command === undefined) throw new Error('nothing changed')
  return command
}
const sent = (carriesIds = true, changes: Partial<life.CommandWish> = {}) =>
  must(life.send(queued(changes), carriesIds, T + 10))
const accepted = () =>
  must(life.answer(sent(), { status: 'accepted', result: null, message: null }, RESULT_WITHIN, T + 20))
const stepsOf = ({ history }: CommandRecord) =>
  history.map(({ atMs, status, detail }) => [atMs - T, status, ...(detail === null ? [] : [detail])])

describe('the life of a command', () => {
  it('goes from queued to sent to accepted to done, each step with its time', () => {
    const done = must(life.settle(accepted(), DONE, T + 30))
    expect(stepsOf(done)).toEqual([
      [0, 'queued'],
      [10, 'sent'],
      [20, 'accepted'],
      [30, 'done'],
    ])
    expect(done).toMatchObject({ status: 'done', result: { ok: true }, message: 'well', dueAtMs: null })
  })

  it('may be done or failed at once', () => {
    expect(life.answer(sent(), DONE, RESULT_WITHIN, T + 11)).toMatchObject({ status: 'done', dueAtMs: null })
    const failed = life.answer(sent(), { status: 'failed', result: null, message: 'no' }, RESULT_WITHIN, T + 11)
    expect(failed).toMatchObject({ status: 'failed', message: 'no', dueAtMs: null })
  })

  it('counts an end whose delivery nobody knows of', () => {
    expect(stepsOf(must(life.settle(queued(), DONE, T + 1)))).toEqual([
      [0, 'queued'],
      [1, 'done'],
    ])
  })

  it('takes the same answer, and the same end, only once', () => {
    const reply = { status: 'accepted', result: null, message: null } as const
    expect(life.answer(accepted(), reply, RESULT_WITHIN, T + 21)).toBeUndefined()
    const done = must(life.settle(accepted(), DONE, T + 30))
    expect(life.settle(done, { ...DONE, result: { ok: true } }, T + 31)).toBeUndefined()
    expect(life.answer(done, reply, RESULT_WITHIN, T + 31)).toBeUndefined()
  })

  it('says that a result was left out', () => {
    const leftOut = { ...DONE, result: null, isResultLeftOut: true }
    for (const done of [
      life.answer(sent(), leftOut, RESULT_WITHIN, T + 30),
      life.settle(accepted(), leftOut, T + 30),
    ]) {
      expect(stepsOf(must(done)).at(-1)).toEqual([30, 'done', 'result_left_out'])
      expect(done).toMatchObject({ result: null, message: 'well' })
      expect(life.settle(must(done), leftOut, T + 31)).toBeUndefined()
    }
  })

  it('notes one result of each kind after the end, and changes nothing else', () => {
    const cancelled = must(life.cancel(sent(), null, T + 20))
    const noted = must(life.settle(cancelled, DONE, T + 30))
    expect(stepsOf(noted).at(-1)).toEqual([30, 'cancelled', 'late_done'])
    expect({ ...noted, history: [] }).toEqual({ ...cancelled, history: [] })
    expect(life.settle(noted, DONE, T + 31)).toBeUndefined()
    const both = must(life.settle(noted, { ...DONE, status: 'failed' }, T + 32))
    expect(stepsOf(both).at(-1)).toEqual([32, 'cancelled', 'late_failed'])
    for (const status of ['done', 'failed'] as const)
      expect(life.settle(both, { ...DONE, status }, T + 33)).toBeUndefined()
    const done = must(life.settle(accepted(), DONE, T + 30))
    expect(stepsOf(must(life.settle(done, { ...DONE, status: 'failed' }, T + 31))).at(-1)).toEqual([
      31,
      'done',
      'late_failed',
    ])
  })

  it('expires only while queued or sent', () => {
    expect(life.lapse(queued(), T + TTL - 1)).toBeUndefined()
    expect(life.lapse(queued(), T + TTL)).toMatchObject({ status: 'expired', message: null })
    expect(life.lapse(sent(), T + TTL)).toMatchObject({ status: 'expired' })
    expect(accepted().dueAtMs).toBe(T + 20 + RESULT_WITHIN)
    expect(life.lapse(accepted(), T + 20 + RESULT_WITHIN - 1)).toBeUndefined()
    expect(life.lapse(accepted(), T + TTL)).toMatchObject({ status: 'failed', message: 'no_result', dueAtMs: null })
  })

  it('fails without a reply after a minute where commands carry no ids, unless it expires before', () => {
    expect(life.lapse(sent(false), T + 10 + 59_999)).toBeUndefined()
    expect(life.lapse(sent(false), T + 10 + 60_000)).toMatchObject({ status: 'failed', message: 'no_reply' })
    expect(life.lapse(sent(false), T + 2 * TTL)).toMatchObject({ status: 'failed', message: 'no_reply' })
    expect(life.lapse(sent(false, { ttlMs: 30_000 }), T + TTL)).toMatchObject({ status: 'expired' })
    expect(life.resend(sent(false), T + 30_000)).toBeUndefined()
  })

  it('is done when a unit that was told to restart ends its link and comes back', () => {
    for (const type of ['RESET', 'REBOOT'] as const) {
      const restarting = must(life.loseLink(sent(false, { type }), 'unit', T + 500))
      expect(restarting).toMatchObject({ status: 'sent', delivery: 'restarting', dueAtMs: T + TTL })
      expect(life.findUnitBack(restarting, T + 499, T + 900)).toBeUndefined()
      const back = must(life.findUnitBack(restarting, T + 800, T + 900))
      expect(stepsOf(back).slice(2)).toEqual([
        [500, 'sent', 'link_ended'],
        [900, 'done', 'link_restarted'],
      ])
      expect(back).toMatchObject({ message: 'link_restarted', dueAtMs: null })
      expect(life.lapse(restarting, T + TTL)).toMatchObject({ status: 'expired' })
    }
  })

  it('fails when we ended the link; no other command is done by its end', () => {
    expect(life.loseLink(sent(false), 'server', T + 500)).toMatchObject({ status: 'failed', message: 'no_reply' })
    expect(life.loseLink(sent(false, { type: 'CUSTOM', params: { text: 'x' } }), 'unit', T + 500)).toBeUndefined()
    expect(life.loseLink(sent(true), 'server', T + 500)).toBeUndefined()
    expect(life.loseLink(accepted(), 'unit', T + 500)).toBeUndefined()
  })

  it('is noted when it goes out again, but not without end', () => {
    let command = sent()
    for (let n = 1; n <= life.MAX_RESENDS_NOTED; n++) command = must(life.resend(command, T + n * 30_000))
    expect(life.resend(command, T + TTL - 1)).toBeUndefined()
    expect(command.history).toHaveLength(2 + life.MAX_RESENDS_NOTED)
  })

  it('is cancelled while it has not ended, and says why when no user wanted it', () => {
    expect(life.cancel(queued(), null, T + 1)).toMatchObject({ status: 'cancelled', message: null, dueAtMs: null })
    expect(life.cancel(accepted(), 'device_deleted', T + 30)).toMatchObject({ message: 'device_deleted' })
    expect(life.cancel(must(life.settle(accepted(), DONE, T + 30)), null, T + 31)).toBeUndefined()
  })

  it('ends once, in one state, with times that never go back, whatever happens in whatever order', () => {
    const happening = fc.record({
      what: fc.constantFrom(
        'send',
        'sendOnce',
        'resend',
        'accept',
        'done',
        'fail',
        'lapse',
        'cancel',
        'lose',
        'cut',
        'back',
      ),
      atMs: fc.integer({ min: T - 1000, max: T + 2 * TTL }),
    })
    const reply = (status: 'accepted' | 'done' | 'failed') => ({ status, result: status, message: null })
    const rules: Record<string, (command: CommandRecord, atMs: number) => CommandRecord | undefined> = {
      send: (command, atMs) => life.send(command, true, atMs),
      sendOnce: (command, atMs) => life.send(command, false, atMs),
      resend: life.resend,
      accept: (command, atMs) => life.answer(command, reply('accepted'), RESULT_WITHIN, atMs),
      done: (command, atMs) => life.answer(command, reply('done'), RESULT_WITHIN, atMs),
      fail: (command, atMs) => life.settle(command, { status: 'failed', result: 1, message: null }, atMs),
      lapse: life.lapse,
      cancel: (command, atMs) => life.cancel(command, null, atMs),
      lose: (command, atMs) => life.loseLink(command, 'unit', atMs),
      cut: (command, atMs) => life.loseLink(command, 'server', atMs),
      back: (command, atMs) => life.findUnitBack(command, atMs, atMs),
    }
    const rank = { queued: 0, sent: 1, accepted: 2, done: 3, failed: 3, expired: 3, cancelled: 3 }
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 60 }), (happenings) => {
        let command = queued()
        for (const { what, atMs } of happenings) {
          const before = command
          command = rules[what]?.(command, atMs) ?? command
          if (hasEnded(before.status)) expect({ ...command, history: [] }).toEqual({ ...before, history: [] })
          expect(command.dueAtMs === null).toBe(hasEnded(command.status))
          expect(command.history.slice(0, before.history.length)).toEqual(before.history)
        }
        const { history } = command
        expect(history.at(-1)?.status).toBe(command.status)
        history.slice(1).forEach((now, at) => {
          const before = history[at]
          if (before === undefined) throw new Error('no step before')
          expect(now.atMs).toBeGreaterThanOrEqual(before.atMs)
          expect(rank[now.status]).toBeGreaterThanOrEqual(rank[before.status])
          if (hasEnded(before.status))
            expect(now).toMatchObject({ status: before.status, detail: expect.stringMatching(/^late_(done|failed)$/) })
        })
        expect(history.length).toBeLessThan(9 + life.MAX_RESENDS_NOTED)
      }),
    )
  })
})

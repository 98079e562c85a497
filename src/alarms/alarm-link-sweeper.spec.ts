import { Logger } from '@nestjs/common'
import type { AlarmRecords, NamedFile, UnjoinedStep } from '../storage/sql/alarm-records.js'
import { AlarmLinkSweeper } from './alarm-link-sweeper.js'
import { AlarmLinks } from './alarm-links.js'
import type { AlarmNews } from './alarm-news.js'

const file = (fileName: string): NamedFile => ({ deviceId: 'd1', fileName })
const MINUTE_MS = 60_000

function build(steps: Readonly<Record<string, UnjoinedStep>>) {
  const looked: string[] = []
  const followed: string[] = []
  const state = { failures: 0, isIncomplete: false, onFollow: (): unknown => undefined }
  const records = {
    findUnjoinedAfter: async (after = '') => {
      looked.push(after)
      if (state.failures-- > 0) throw new Error('the disk is gone')
      return steps[after]
    },
  } as unknown as AlarmRecords
  const links = {
    follow: async ({ fileName }: NamedFile) => {
      followed.push(fileName)
      await state.onFollow()
    },
    stopTrying: () => undefined,
    takeIncomplete: () => {
      const { isIncomplete } = state
      state.isIncomplete = false
      return isIncomplete
    },
  } as unknown as AlarmLinks
  return { sweeper: new AlarmLinkSweeper(records, links), looked, followed, state }
}

const STEPS = {
  '': { files: [file('a'), file('b')], next: '7' },
  '7': { files: [], next: '9' },
  '9': { files: [file('c')], next: undefined },
}

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick'] })
})
afterEach(() => {
  jest.useRealTimers()
  jest.restoreAllMocks()
})

describe('AlarmLinkSweeper', () => {
  it('goes through all files once after the start, and again when something was given up', async () => {
    jest.spyOn(Logger.prototype, 'log').mockImplementation()
    const { sweeper, looked, followed, state } = build(STEPS)
    sweeper.onApplicationBootstrap()
    await jest.advanceTimersByTimeAsync(30 * MINUTE_MS)
    expect([looked, followed]).toEqual([
      ['', '7', '9'],
      ['a', 'b', 'c'],
    ])
    state.isIncomplete = true
    await jest.advanceTimersByTimeAsync(30 * MINUTE_MS)
    expect(looked).toEqual(['', '7', '9', '', '7', '9'])
    await sweeper.onModuleDestroy()
    expect(jest.getTimerCount()).toBe(0)
  })

  it('tries again ten minutes after the store was away', async () => {
    const warned = jest.spyOn(Logger.prototype, 'warn').mockImplementation()
    const { sweeper, looked, state } = build({ '': { files: [], next: undefined } })
    state.failures = 1
    sweeper.onApplicationBootstrap()
    await jest.advanceTimersByTimeAsync(9 * MINUTE_MS)
    expect(looked).toHaveLength(1)
    await jest.advanceTimersByTimeAsync(2 * MINUTE_MS)
    expect(looked).toHaveLength(2)
    expect(warned.mock.calls).toEqual([[{ event: 'alarm_sweep_failed', reason: 'the disk is gone' }]])
    await sweeper.onModuleDestroy()
  })

  it('does not wait for the store to come back when the server stops', async () => {
    jest.spyOn(Logger.prototype, 'warn').mockImplementation()
    const records = {
      findUnjoinedAfter: async () => ({ files: [file('a'), file('b')], next: undefined }),
      relink: jest.fn(async () => {
        throw new Error('the database is away')
      }),
    }
    const links = new AlarmLinks(records as unknown as AlarmRecords, {} as AlarmNews)
    const sweeper = new AlarmLinkSweeper(records as unknown as AlarmRecords, links)
    sweeper.onApplicationBootstrap()
    await jest.advanceTimersByTimeAsync(0)
    expect([records.relink.mock.calls.length, jest.getTimerCount()]).toEqual([1, 1])
    let hasStopped = false
    const stopped = sweeper.onModuleDestroy().then(() => {
      hasStopped = true
    })
    await jest.advanceTimersByTimeAsync(0)
    expect([hasStopped, records.relink.mock.calls.length]).toEqual([true, 1])
    await stopped
    expect(jest.getTimerCount()).toBe(0)
  })

  it('ends between two files when the server stops', async () => {
    const { sweeper, looked, followed, state } = build(STEPS)
    let stopped: Promise<void> | undefined
    state.onFollow = () => {
      stopped ??= sweeper.onModuleDestroy()
    }
    sweeper.onApplicationBootstrap()
    await jest.advanceTimersByTimeAsync(0)
    await stopped
    expect([looked, followed]).toEqual([[''], ['a']])
    expect(jest.getTimerCount()).toBe(0)
  })
})

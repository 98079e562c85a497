import { Logger } from '@nestjs/common'
import { makeAlarm } from '../../test/support/alarms.js'
import type { Alarm } from '../model/alarm.js'
import type { AlarmRecords } from '../storage/sql/alarm-records.js'
import { AlarmLinks } from './alarm-links.js'
import type { AlarmNews } from './alarm-news.js'

function build() {
  const calls: string[] = []
  const told: string[] = []
  const state = { failures: 0 }
  const records = {
    relink: async (deviceId: string, fileName: string) => {
      calls.push(`${deviceId}/${fileName}`)
      if (state.failures-- > 0) throw new Error('the disk is gone')
      return ['a1', 'gone', 'a2']
    },
    find: async (id: string) => (id === 'gone' ? undefined : makeAlarm({ id })),
  } as unknown as AlarmRecords
  const news = { publish: ({ id }: Alarm) => told.push(id) } as unknown as AlarmNews
  return { links: new AlarmLinks(records, news), calls, told, state }
}

afterEach(() => {
  jest.useRealTimers()
  jest.restoreAllMocks()
})

describe('AlarmLinks', () => {
  it('tells of the alarms whose file became a video, and forgets those that are gone', async () => {
    const { links, calls, told } = build()
    links.videoChanged('d1', 'front.mp4')
    expect(told).toEqual([])
    await links.onModuleDestroy()
    expect([calls, told]).toEqual([['d1/front.mp4'], ['a1', 'a2']])
  })

  it('tries again until the store is back', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick'] })
    const { links, calls, told, state } = build()
    state.failures = 2
    links.videoChanged('d1', 'front.mp4')
    await jest.advanceTimersByTimeAsync(6000)
    expect([calls.length, told]).toEqual([3, ['a1', 'a2']])
    await links.onModuleDestroy()
  })

  it('says so when it gives up, and does not wait when the server stops', async () => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation()
    const { links, calls, state } = build()
    state.failures = 9
    links.videoChanged('d1', 'front.mp4')
    await new Promise((resolve) => setImmediate(resolve))
    await links.onModuleDestroy()
    expect(calls).toHaveLength(1)
    expect(logged.mock.calls.map(([line]) => line)).toEqual([
      { event: 'alarm_not_linked', deviceId: 'd1', fileName: 'front.mp4', reason: 'the disk is gone' },
    ])
  })
})

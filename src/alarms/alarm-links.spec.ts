import { Logger } from '@nestjs/common'
import { makeAlarm } from '../../test/support/alarms.js'
import type { Alarm } from '../model/alarm.js'
import type { AlarmRecords, NamedFile } from '../storage/sql/alarm-records.js'
import { AlarmLinks } from './alarm-links.js'
import type { AlarmNews } from './alarm-news.js'

/** A store in which every file has its alarms unjoined, and whose calls fail when the test says so. */
function build() {
  const calls: string[] = []
  const told: string[] = []
  const state = { failing: (_call: string): boolean => false, unjoined: ['a1', 'gone', 'a2', 'a3'], late: ['late.mp4'] }
  const call = (name: string) => {
    calls.push(name)
    if (state.failing(name)) throw new Error('the disk is gone')
  }
  const records = {
    relink: async (deviceId: string, fileName: string) => {
      call(`relink ${deviceId}/${fileName}`)
      return state.unjoined.splice(0, 2)
    },
    findUnjoined: async (files: readonly NamedFile[]) => {
      call(`look ${files.map(({ fileName }) => fileName)}`)
      return files.filter(({ fileName }) => state.late.includes(fileName))
    },
    find: async (id: string) => {
      call(`find ${id}`)
      return id === 'gone' ? undefined : makeAlarm({ id })
    },
  } as unknown as AlarmRecords
  const news = { publish: ({ id }: Alarm) => told.push(id) } as unknown as AlarmNews
  return { links: new AlarmLinks(records, news), calls, told, state }
}

/** Fails the first calls whose name begins so. */
const failingFirst = (count: number, name: string) => {
  let left = count
  return (call: string) => call.startsWith(name) && left-- > 0
}
const named = (...names: string[]): Alarm =>
  makeAlarm({ id: 'n', files: names.map((fileName) => ({ fileName, videoId: fileName === 'has.mp4' ? 'v1' : null })) })

let warned: jest.SpyInstance
beforeEach(() => {
  warned = jest.spyOn(Logger.prototype, 'warn').mockImplementation()
})
afterEach(() => {
  jest.useRealTimers()
  jest.restoreAllMocks()
})

describe('AlarmLinks', () => {
  it('tells of all alarms whose file became a video, and forgets those that are gone', async () => {
    const { links, calls, told } = build()
    links.videoChanged('d1', 'front.mp4')
    expect(told).toEqual([])
    await links.onModuleDestroy()
    expect(calls.slice(0, 3)).toEqual(Array(3).fill('relink d1/front.mp4'))
    expect(told).toEqual(['a1', 'a2', 'a3'])
  })

  it.each(['relink', 'find a2'])(
    'tries again until the store is back, and tells of each alarm once: %s',
    async (call) => {
      jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick'] })
      const { links, told, state } = build()
      state.failing = failingFirst(2, call)
      links.videoChanged('d1', 'front.mp4')
      await jest.advanceTimersByTimeAsync(6000)
      expect(told).toEqual(['a1', 'a2', 'a3'])
      expect(links.takeIncomplete()).toBe(false)
      await links.onModuleDestroy()
    },
  )

  it('tells also of alarms that were joined before the store failed', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick'] })
    const { links, told, state } = build()
    let relinks = 0
    state.failing = (call) => call.startsWith('relink') && ++relinks === 2
    links.videoChanged('d1', 'front.mp4')
    await jest.advanceTimersByTimeAsync(1000)
    expect(told).toEqual(['a1', 'a2', 'a3'])
    await links.onModuleDestroy()
  })

  it('says so when it gives up, leaves it to the sweep, and does not wait when the server stops', async () => {
    const { links, calls, state } = build()
    state.failing = () => true
    links.videoChanged('d1', 'front.mp4')
    await new Promise((resolve) => setImmediate(resolve))
    await links.onModuleDestroy()
    expect(calls).toHaveLength(1)
    expect(warned.mock.calls.map(([line]) => line)).toEqual([
      { event: 'alarm_not_linked', deviceId: 'd1', fileName: 'front.mp4', reason: 'the disk is gone' },
    ])
    expect([links.takeIncomplete(), links.takeIncomplete()]).toEqual([true, false])
  })

  it('looks once more for what stored alarms name and is not joined, and joins what was shown meanwhile', async () => {
    const { links, calls, told } = build()
    links.alarmStored(named('has.mp4'))
    links.alarmStored(named('a.mp4', 'has.mp4', 'late.mp4'))
    links.alarmStored(named('b.mp4'))
    await links.onModuleDestroy()
    expect([...new Set(calls)].slice(0, 3).sort()).toEqual(['look a.mp4,late.mp4', 'look b.mp4', 'relink d1/late.mp4'])
    expect(told).toEqual(['a1', 'a2', 'a3'])
  })

  it('looks again while the store fails, and for much at a time', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick'] })
    const { links, calls, told, state } = build()
    state.failing = failingFirst(2, 'look')
    links.alarmStored(named('late.mp4'))
    for (let n = 0; n < 600; n++) links.alarmStored(named(`${n}.mp4`))
    await jest.advanceTimersByTimeAsync(6000)
    expect(calls.filter((call) => call.startsWith('look')).map((call) => call.split(',').length)).toEqual([
      1, 1, 1, 500, 100,
    ])
    expect(told).toEqual(['a1', 'a2', 'a3'])
    await links.onModuleDestroy()
  })

  it('keeps no endless list of what is to be looked at: the sweep finds the rest', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick'] })
    const { links, calls, state } = build()
    state.failing = failingFirst(1, 'look')
    for (let n = 0; n < 20_100; n++) links.alarmStored(named(`${n}.mp4`))
    expect(links.takeIncomplete()).toBe(true)
    await jest.advanceTimersByTimeAsync(1000)
    expect(calls).toHaveLength(42)
    await links.onModuleDestroy()
  })

  it('begins nothing for alarms that are stored while the server stops', async () => {
    const { links, calls } = build()
    await links.onModuleDestroy()
    links.alarmStored(named('late.mp4'))
    expect(calls).toEqual([])
  })
})

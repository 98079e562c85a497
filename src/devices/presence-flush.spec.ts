import { Logger } from '@nestjs/common'
import { MemoryDeviceRecords, makeDevice } from '../../test/support/memory-device-records.js'
import { Metrics } from '../metrics/metrics.js'
import { HEARD_ONLINE_MS, Sessions } from '../sessions/sessions.js'
import { PresenceFlush } from './presence-flush.js'

const START_MS = Date.UTC(2026, 10, 22, 7, 30)

describe('PresenceFlush', () => {
  let records: MemoryDeviceRecords
  let sessions: Sessions
  let flush: PresenceFlush

  beforeEach(() => {
    jest.useFakeTimers({ now: START_MS })
    jest.spyOn(Logger.prototype, 'warn').mockImplementation()
    records = new MemoryDeviceRecords(['a', 'b'].map((deviceId) => makeDevice({ deviceId })))
    sessions = new Sessions(new Metrics())
    flush = new PresenceFlush(sessions, records)
    flush.onApplicationBootstrap()
  })

  afterEach(() => {
    jest.useRealTimers()
    jest.restoreAllMocks()
  })

  const lastSeen = async () => (await records.list({ limit: 10 })).map(({ lastSeenAtMs }) => lastSeenAtMs)
  const touches = () => records.calls.filter(({ method }) => method === 'touch')

  it('writes the times of all devices in one go every 30 s, whatever they said meanwhile', async () => {
    for (let n = 0; n < 1000; n++) {
      sessions.heardWithoutLink('a', 'http')
      sessions.heardWithoutLink('b', 'http')
      jest.advanceTimersByTime(20)
    }
    expect(touches()).toEqual([])
    await jest.advanceTimersByTimeAsync(10_000)
    expect(touches()).toEqual([{ method: 'touch', ids: 2 }])
    expect(await lastSeen()).toEqual([START_MS + 19_980, START_MS + 19_980])
  })

  it('writes a large fleet in parts, all of it in one round', async () => {
    const all = Array.from({ length: 4500 }, (_, n) => `d${n}`)
    const hearAll = () => all.forEach((deviceId) => void sessions.heardWithoutLink(deviceId, 'http'))
    const touch = records.touch.bind(records)
    jest.spyOn(records, 'touch').mockImplementation(async (lastSeen) => {
      // As a busy fleet does: it never ends a round.
      hearAll()
      return touch(lastSeen)
    })
    hearAll()
    await jest.advanceTimersByTimeAsync(30_000)
    expect(touches().map(({ ids }) => ids)).toEqual([2000, 2000, 500])
  })

  it('writes nothing when nobody was heard', async () => {
    sessions.heardWithoutLink('a', 'http')
    await jest.advanceTimersByTimeAsync(30_000)
    await jest.advanceTimersByTimeAsync(300_000)
    expect(touches()).toEqual([{ method: 'touch', ids: 1 }])
  })

  it('keeps the times that could not be written for the next round, the newer one of a device', async () => {
    sessions.heardWithoutLink('a', 'http')
    sessions.heardWithoutLink('b', 'http')
    records.failure = new Error('database is away')
    await jest.advanceTimersByTimeAsync(30_000)
    sessions.heardWithoutLink('b', 'http')
    records.failure = undefined
    await jest.advanceTimersByTimeAsync(30_000)
    expect(touches()).toEqual([
      { method: 'touch', ids: 2 },
      { method: 'touch', ids: 2 },
    ])
    expect(await lastSeen()).toEqual([START_MS, START_MS + 30_000])
  })

  it('does not begin a write while one is under way', async () => {
    let finish: () => void = () => undefined
    const touch = jest.spyOn(records, 'touch').mockImplementation(
      () =>
        new Promise((resolve) => {
          finish = resolve
        }),
    )
    sessions.heardWithoutLink('a', 'http')
    await jest.advanceTimersByTimeAsync(90_000)
    expect(touch).toHaveBeenCalledTimes(1)
    sessions.heardWithoutLink('b', 'http')
    finish()
    await jest.advanceTimersByTimeAsync(30_000)
    expect(touch.mock.lastCall).toEqual([[{ deviceId: 'b', atMs: START_MS + 90_000 }]])
    finish()
  })

  it('writes the last times at the stop, and not again after it', async () => {
    sessions.heardWithoutLink('a', 'http')
    await flush.onApplicationShutdown()
    expect(await lastSeen()).toEqual([START_MS, null])
    sessions.heardWithoutLink('a', 'http')
    await jest.advanceTimersByTimeAsync(120_000)
    expect(touches()).toHaveLength(1)
  })

  it('lets devices go offline that were not heard for two minutes', async () => {
    const changes: boolean[] = []
    sessions.onPresence(({ online }) => changes.push(online))
    sessions.heardWithoutLink('a', 'http')
    await jest.advanceTimersByTimeAsync(HEARD_ONLINE_MS + 5000)
    expect(changes).toEqual([true, false])
  })
})

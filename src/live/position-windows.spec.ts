import { makePosition } from '../../test/support/positions.js'
import { PositionWindows } from './position-windows.js'

describe('PositionWindows', () => {
  let passed: Array<[deviceId: string, speed: number | null, atMs: number]>
  let windows: PositionWindows
  const offer = (deviceId: string, speedKmh: number) => windows.offer(makePosition({ deviceId, speedKmh }))

  beforeEach(() => {
    jest.useFakeTimers({ now: 0 })
    passed = []
    windows = new PositionWindows(
      (position) => {
        passed.push([position.deviceId, position.speedKmh, Date.now()])
        windows.sent(position.deviceId)
      },
      () => Date.now(),
    )
  })
  afterEach(() => {
    windows.stop()
    jest.useRealTimers()
  })

  it('passes the first at once and the newest of the window at its end', () => {
    offer('a', 1)
    jest.advanceTimersByTime(300)
    offer('a', 2)
    jest.advanceTimersByTime(300)
    offer('a', 3)
    jest.advanceTimersByTime(5000)
    expect(passed).toEqual([
      ['a', 1, 0],
      ['a', 3, 1000],
    ])
  })

  it('passes at once again after a silent window', () => {
    offer('a', 1)
    jest.advanceTimersByTime(1500)
    offer('a', 2)
    expect(passed).toEqual([
      ['a', 1, 0],
      ['a', 2, 1500],
    ])
  })

  it('passes ten positions a second as one a second', () => {
    for (let step = 0; step < 100; step++) {
      offer('a', step)
      jest.advanceTimersByTime(100)
    }
    expect(passed.slice(0, 4)).toEqual([
      ['a', 0, 0],
      ['a', 9, 1000],
      ['a', 19, 2000],
      ['a', 29, 3000],
    ])
    expect(passed).toHaveLength(11)
  })

  it('does not let devices wait for each other', () => {
    offer('a', 1)
    jest.advanceTimersByTime(500)
    offer('b', 2)
    offer('a', 3)
    jest.advanceTimersByTime(100)
    offer('b', 4)
    jest.advanceTimersByTime(2000)
    expect(passed).toEqual([
      ['a', 1, 0],
      ['b', 2, 500],
      ['a', 3, 1000],
      ['b', 4, 1500],
    ])
  })

  it('forgets silent devices and then sleeps', () => {
    for (let index = 0; index < 100; index++) offer(`truck-${index}`, index)
    expect(jest.getTimerCount()).toBe(1)
    jest.advanceTimersByTime(1000)
    expect(jest.getTimerCount()).toBe(0)
    expect((windows as unknown as { open: Map<string, unknown> }).open.size).toBe(0)
  })
})

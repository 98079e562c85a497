import { Bell } from './bell.js'

describe('Bell', () => {
  let bell: Bell
  beforeEach(() => {
    jest.useFakeTimers()
    bell = new Bell()
  })
  afterEach(() => jest.useRealTimers())

  it('wakes everyone who waits', async () => {
    const waiting = [bell.wait(bell.count, 1000), bell.wait(bell.count, 1000)]
    bell.ring()
    await Promise.all(waiting)
    expect(jest.getTimerCount()).toBe(0)
  })

  it('does not let anyone wait who missed a ring while looking', async () => {
    const heard = bell.count
    bell.ring()
    await bell.wait(heard, 1000)
    expect(jest.getTimerCount()).toBe(0)
  })

  it('wakes at the end of the time by itself', async () => {
    const waiting = bell.wait(bell.count, 1000)
    await jest.advanceTimersByTimeAsync(1000)
    await waiting
    expect(jest.getTimerCount()).toBe(0)
  })
})

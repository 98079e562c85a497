import { Turns } from './turns.js'

describe('turns', () => {
  it('let so many in at once, and the next when one is given back', async () => {
    const turns = new Turns({ refusal: 'no connection was free', count: 2, waitLimitMs: 1000 })
    const [first] = await Promise.all([turns.acquire(), turns.acquire()])
    let isIn = false
    const third = turns.acquire().then(() => {
      isIn = true
    })
    await new Promise(setImmediate)
    expect(isIn).toBe(false)

    first?.()
    await third
    expect(isIn).toBe(true)
  })

  it('refuse whoever comes when too many wait already', async () => {
    const turns = new Turns({ refusal: 'no connection was free', count: 1, waitLimitMs: 50 })
    await turns.acquire()
    const waiting = Array.from({ length: 10_000 }, () => turns.acquire().catch(() => undefined))

    await expect(turns.acquire()).rejects.toMatchObject({ code: 'overloaded', retryAfterMs: 1000 })
    await Promise.all(waiting)
  })
})

import { setTimeout as sleep } from 'node:timers/promises'
import { Turnstile } from './turnstile.js'

describe('turnstile', () => {
  it('lets so many in at a time, and others in their order as those leave', async () => {
    const turnstile = new Turnstile({ atOnce: 2, perSecond: 100, waiting: 10 })
    const order: number[] = []
    const enter = async (n: number) => {
      const answer = await turnstile.enter()
      order.push(n)
      return answer
    }
    const all = [enter(1), enter(2), enter(3), enter(4)]
    await Promise.all(all.slice(0, 2))
    await sleep(20)
    expect(order).toEqual([1, 2])
    turnstile.leave()
    await all[2]
    expect(order).toEqual([1, 2, 3])
    turnstile.leave()
    expect(await Promise.all(all)).toEqual(['in', 'in', 'in', 'in'])
    expect(order).toEqual([1, 2, 3, 4])
  })

  it('lets no more in within a second than it may', async () => {
    const turnstile = new Turnstile({ atOnce: 10, perSecond: 3, waiting: 10 })
    const startedMs = performance.now()
    const times = await Promise.all(
      [1, 2, 3, 4].map(async () => {
        await turnstile.enter()
        turnstile.leave()
        return performance.now() - startedMs
      }),
    )
    expect(times.map((ms) => ms >= 900)).toEqual([false, false, false, true])
  })

  it('turns away whom its line has no place for', async () => {
    const turnstile = new Turnstile({ atOnce: 1, perSecond: 100, waiting: 1 })
    expect(await turnstile.enter()).toBe('in')
    const second = turnstile.enter()
    expect(await turnstile.enter()).toBe('full')
    turnstile.leave()
    expect(await second).toBe('in')
  })

  it('tells who waits when it is closed, and who comes later', async () => {
    const turnstile = new Turnstile({ atOnce: 1, perSecond: 1, waiting: 10 })
    await turnstile.enter()
    turnstile.leave()
    const second = turnstile.enter()
    turnstile.close()
    expect([await second, await turnstile.enter()]).toEqual(['closed', 'closed'])
  })
})

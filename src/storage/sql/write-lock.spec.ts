import { setTimeout as sleep } from 'node:timers/promises'
import { WriteLock } from './write-lock.js'

describe('the write lock', () => {
  it('lets one in at a time, in the order they came', async () => {
    const lock = new WriteLock(1000)
    const log: string[] = []
    const use = async (name: string) => {
      const release = await lock.acquire()
      log.push(`${name} in`)
      await sleep(5)
      log.push(`${name} out`)
      release()
    }

    await Promise.all([use('a'), use('b'), use('c')])

    expect(log).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out'])
  })

  it('refuses who waited too long, and passes over them', async () => {
    const lock = new WriteLock(20)
    const release = await lock.acquire()
    const late = lock.acquire()

    await expect(late).rejects.toMatchObject({ code: 'store_unavailable' })
    const next = lock.acquire()
    release()

    expect(await next).toBeInstanceOf(Function)
  })

  it('is given back once, however often it is said', async () => {
    const lock = new WriteLock(20)
    const release = await lock.acquire()
    const second = lock.acquire()
    const third = lock.acquire()

    release()
    release()

    expect(await second).toBeInstanceOf(Function)
    await expect(third).rejects.toMatchObject({ code: 'store_unavailable' })
  })
})

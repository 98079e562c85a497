import { KeyedLocks } from './keyed-locks.js'

describe('KeyedLocks', () => {
  it('gives a key to one after the other, in the order of asking, and other keys at once', async () => {
    const locks = new KeyedLocks()
    const order: string[] = []
    const first = await locks.acquire('a')
    const waiting = ['second', 'third'].map((name) => locks.run('a', async () => void order.push(name)))
    await locks.run('b', async () => void order.push('other'))
    expect(order).toEqual(['other'])
    first()
    await Promise.all(waiting)
    expect([order, locks.isHeld('a')]).toEqual([['other', 'second', 'third'], false])
  })

  it('tells the holder that others wait, also one who gets it while they do', async () => {
    const locks = new KeyedLocks()
    const told: string[] = []
    const first = await locks.acquire('a', () => told.push('first'))
    expect(told).toEqual([])
    const second = locks.acquire('a', () => told.push('second'))
    const third = locks.acquire('a')
    expect(told).toEqual(['first', 'first'])
    first()
    expect(told).toEqual(['first', 'first', 'second'])
    ;(await second)()
    ;(await third)()
    expect(locks.isHeld('a')).toBe(false)
  })

  it('gives back once, and after a failure too', async () => {
    const locks = new KeyedLocks()
    await expect(
      locks.run('a', async () => {
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
    const first = await locks.acquire('a')
    const second = locks.acquire('a')
    first()
    first()
    await second
    expect(locks.isHeld('a')).toBe(true)
  })
})

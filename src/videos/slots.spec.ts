import { Slots } from './slots.js'

/** Work that ends when it is told to. */
function held() {
  let resolve: (value: string) => void = () => undefined
  const done = new Promise<string>((settle) => {
    resolve = settle
  })
  return { work: jest.fn(() => done), resolve: (value: string) => resolve(value) }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('slots', () => {
  it('do so many things at the same time, and the others in the order of asking', async () => {
    const slots = new Slots(2)
    const all = [held(), held(), held(), held()]
    const done = all.map(({ work }) => slots.run(work))
    const begun = () => all.map(({ work }) => work.mock.calls.length)
    await turn()
    expect(begun()).toEqual([1, 1, 0, 0])
    all[1]?.resolve('second')
    await turn()
    expect(begun()).toEqual([1, 1, 1, 0])
    expect(await done[1]).toBe('second')
    for (const { resolve } of all) resolve('ended')
    expect(await Promise.all(done)).toEqual(['ended', 'second', 'ended', 'ended'])
  })

  it('give the place free when the work fails', async () => {
    const slots = new Slots(1)
    await expect(slots.run(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
    expect(await slots.run(async () => 'fine')).toBe('fine')
  })
})

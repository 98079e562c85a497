import { DeviceLanes } from './device-lanes.js'

/** Tasks that end when they are told to, and what was begun. */
function makeTasks() {
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  const task = (name: string) => async () => {
    begun.push(name)
    await new Promise<void>((resolve) => ends.set(name, resolve))
  }
  const end = async (name: string) => {
    ends.get(name)?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { begun, task, end }
}

describe('lanes of devices', () => {
  it('do the tasks of one device one after the other, and those of others meanwhile', async () => {
    const lanes = new DeviceLanes(10)
    const { begun, task, end } = makeTasks()
    for (const name of ['a1', 'a2', 'b1', 'a3']) expect(lanes.enter(name.slice(0, 1), task(name))).toBe(true)
    expect(begun).toEqual(['a1', 'b1'])
    await end('a1')
    expect(begun).toEqual(['a1', 'b1', 'a2'])
    await end('a2')
    await end('a3')
    expect(begun).toEqual(['a1', 'b1', 'a2', 'a3'])
  })

  it('take no more of one device than may wait', async () => {
    const lanes = new DeviceLanes(2)
    const { begun, task, end } = makeTasks()
    expect(['a1', 'a2', 'a3', 'a4'].map((name) => lanes.enter('a', task(name)))).toEqual([true, true, true, false])
    expect(lanes.enter('b', task('b1'))).toBe(true)
    await end('a1')
    expect(lanes.enter('a', task('a5'))).toBe(true)
    for (const name of ['a2', 'a3', 'a5', 'b1']) await end(name)
    expect(begun).toEqual(['a1', 'b1', 'a2', 'a3', 'a5'])
  })

  it('are drained when the last task has ended', async () => {
    const lanes = new DeviceLanes(2)
    const { task, end } = makeTasks()
    await lanes.drained()
    let isDrained = false
    lanes.enter('a', task('a1'))
    lanes.enter('a', task('a2'))
    const drained = lanes.drained().then(() => {
      isDrained = true
    })
    await end('a1')
    expect(isDrained).toBe(false)
    await end('a2')
    await drained
    expect(isDrained).toBe(true)
  })
})

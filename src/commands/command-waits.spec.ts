import type { CommandStatus } from '../model/command.js'
import type { CommandRecord } from '../storage/sql/command-records.js'
import { CommandWaits } from './command-waits.js'

const changed = (id: string, status: CommandStatus) => ({ id, status }) as CommandRecord
const quiet = new AbortController().signal

/** Whether the promise has been kept by now. */
async function isOver(promise: Promise<unknown> | undefined): Promise<boolean> {
  let isKept = false
  void promise?.then(() => {
    isKept = true
  })
  await new Promise(setImmediate)
  return isKept
}

describe('waiting for the end of a command', () => {
  it('is over when it has ended, and not before', async () => {
    const waits = new CommandWaits()
    const all = ['a', 'a', 'b'].map((id) => waits.waitForEnd(id, 5000, quiet))
    for (const status of ['queued', 'sent', 'accepted'] as const) waits.handleChange(changed('a', status))
    expect(await Promise.all(all.map(isOver))).toEqual([false, false, false])
    waits.handleChange(changed('a', 'failed'))
    expect(await Promise.all(all.map(isOver))).toEqual([true, true, false])
    waits.stop()
  })

  it('is over when the time is up, and at once when none was given', async () => {
    const waits = new CommandWaits()
    expect(await isOver(waits.waitForEnd('a', 0, quiet))).toBe(true)
    const startedMs = performance.now()
    await waits.waitForEnd('a', 40, quiet)
    expect(performance.now() - startedMs).toBeGreaterThan(35)
  })

  it('is over when the client goes, or is gone', async () => {
    const waits = new CommandWaits()
    const client = new AbortController()
    const waiting = waits.waitForEnd('a', 5000, client.signal)
    client.abort()
    expect(await isOver(waiting)).toBe(true)
    expect(await isOver(waits.waitForEnd('a', 5000, client.signal))).toBe(true)
  })

  it('is granted to so many at a time, each place once', async () => {
    const waits = new CommandWaits(2)
    const client = new AbortController()
    const first = waits.waitForEnd('a', 5000, client.signal)
    const second = waits.waitForEnd('b', 5000, quiet)
    expect(waits.waitForEnd('c', 5000, quiet)).toBeUndefined()
    client.abort()
    waits.handleChange(changed('a', 'done'))
    const third = waits.waitForEnd('c', 5000, quiet)
    expect(third).toBeDefined()
    expect(waits.waitForEnd('d', 5000, quiet)).toBeUndefined()
    waits.stop()
    expect(await Promise.all([first, second, third].map(isOver))).toEqual([true, true, true])
  })

  it('is over for all when the server stops, and is not granted any more', async () => {
    const waits = new CommandWaits()
    const waiting = waits.waitForEnd('a', 5000, quiet)
    waits.stop()
    expect(await isOver(waiting)).toBe(true)
    expect(waits.waitForEnd('a', 5000, quiet)).toBeUndefined()
  })
})

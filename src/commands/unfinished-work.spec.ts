import { Logger } from '@nestjs/common'
import { UnfinishedWork } from './unfinished-work.js'

let now: number
let warnings: jest.SpyInstance

beforeEach(() => {
  now = 1_000_000
  warnings = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined)
})
afterEach(() => warnings.mockRestore())

const build = () => new UnfinishedWork(() => now)
/** Lets seconds pass and says at which of them the work was tried. */
async function triesWithin(work: UnfinishedWork, seconds: number, tries: number[]): Promise<number[]> {
  for (let n = 0; n < seconds; n++) {
    now += 1000
    work.tick()
    await new Promise(setImmediate)
  }
  return tries.map((atMs) => (atMs - 1_000_000) / 1000)
}

describe('unfinished work', () => {
  it('is tried again with growing pauses until it is done', async () => {
    const work = build()
    const tries: number[] = []
    await work.finish('a', async () => {
      tries.push(now)
      if (tries.length < 8) throw new Error('away')
    })
    expect(await triesWithin(work, 200, tries)).toEqual([0, 1, 3, 7, 15, 31, 61, 91])
    expect(warnings.mock.calls[0]?.[0]).toEqual({ event: 'command_work_delayed', reason: 'away' })
  })

  it('begins with short pauses again once something of its name was done', async () => {
    const work = build()
    const tries: number[] = []
    const run = async () => {
      tries.push(now)
      if (tries.length !== 3) throw new Error('away')
    }
    await work.finish('a', run)
    await triesWithin(work, 5, tries)
    await work.finish('a', run)
    expect(await triesWithin(work, 2, tries)).toEqual([0, 1, 3, 5, 6])
    work.stop()
  })

  it('is begun again in its own way, with pauses that grow all the same', async () => {
    const work = build()
    const tries: number[] = []
    const again = () =>
      void work.finish(
        'a',
        async () => {
          tries.push(now)
          throw new Error('away')
        },
        again,
      )
    again()
    await new Promise(setImmediate)
    expect(await triesWithin(work, 10, tries)).toEqual([0, 1, 3, 7])
    work.stop()
  })

  it('is known from its failure on until it is done', async () => {
    const work = build()
    const known: boolean[] = []
    let isAway = true
    await work.finish('a', async () => {
      known.push(work.has('a'))
      if (isAway) throw new Error('away')
    })
    known.push(work.has('a'), work.has('b'))
    isAway = false
    await triesWithin(work, 2, [])
    expect([...known, work.has('a')]).toEqual([false, true, false, true, false])
  })

  it('is told of once in ten seconds, however much fails', async () => {
    const work = build()
    for (let n = 0; n < 50; n++) await work.finish(`work ${n}`, () => Promise.reject(new Error('away')))
    expect(warnings).toHaveBeenCalledTimes(1)
    now += 10_000
    await work.finish('one more', () => Promise.reject(new Error('away')))
    expect(warnings).toHaveBeenCalledTimes(2)
  })

  it('is left when the server stops, without a word', async () => {
    const work = build()
    const tries: number[] = []
    const run = () => {
      tries.push(now)
      return Promise.reject(new Error('closed'))
    }
    await work.finish('a', run)
    work.stop()
    await work.finish('b', run)
    expect(await triesWithin(work, 60, tries)).toEqual([0, 0])
    expect(warnings).toHaveBeenCalledTimes(1)
  })
})

import { statfs } from 'node:fs/promises'
import { Metrics } from '../metrics/metrics.js'
import { DiskGuard } from './disk-guard.js'

describe('watch over the data disk', () => {
  async function guardOf(shareOfFree: number) {
    const { bavail, bsize } = await statfs('.')
    const freeBytes = bavail * bsize
    const guard = new DiskGuard('.', Math.floor(freeBytes * shareOfFree), new Metrics())
    const missing: number[] = []
    guard.whileLow((bytes) => missing.push(bytes / freeBytes))
    await guard.start()
    guard.stop()
    return { guard, missing }
  }

  it('is silent while there is more than twice what must be free', async () => {
    const { guard, missing } = await guardOf(0.25)
    expect([guard.isLow, guard.isFull, missing]).toEqual([false, false, []])
  })

  it('says how much is missing before writes are refused, and then', async () => {
    const low = await guardOf(0.75)
    expect([low.guard.isLow, low.guard.isFull]).toEqual([true, false])
    expect(low.missing).toEqual([expect.closeTo(0.5, 1)])
    const full = await guardOf(3)
    expect([full.guard.isLow, full.guard.isFull]).toEqual([true, true])
    expect(full.missing).toEqual([expect.closeTo(5, 1)])
  })

  it('is never low where nothing must be free', async () => {
    const { guard, missing } = await guardOf(0)
    expect([guard.isLow, guard.isFull, missing]).toEqual([false, false, []])
  })
})

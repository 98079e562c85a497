import { setTimeout as sleep } from 'node:timers/promises'
import { RefusalPace } from './refusal-pace.js'

describe('RefusalPace', () => {
  it.each([0, 30, 80])('answers a refusal that took %i ms at the first step of 100 ms', async (workMs) => {
    const tookMs: number[] = []
    for (let i = 0; i < 5; i++) {
      const startedMs = performance.now()
      await sleep(workMs)
      await new RefusalPace(100).keep(startedMs)
      tookMs.push(performance.now() - startedMs)
    }
    expect(Math.min(...tookMs)).toBeGreaterThanOrEqual(99)
    // A busy machine may be late with one of them, not with all.
    expect(Math.min(...tookMs)).toBeLessThan(190)
  })

  it('answers one that took longer than a step at the next', async () => {
    const startedMs = performance.now()
    await sleep(120)
    await new RefusalPace(100).keep(startedMs)
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(199)
  })
})

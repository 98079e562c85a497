import { HeardDevices } from './mongo-heard-devices.js'

const MINUTE_MS = 60_000

describe('devices that were heard', () => {
  let nowMs: number
  let heard: HeardDevices

  beforeEach(() => {
    nowMs = 1_000_000
    heard = new HeardDevices(
      () => nowMs,
      () => 0.5,
    )
  })

  const unheardAfter = (minutes: number) => {
    nowMs += minutes * MINUTE_MS
    return heard.listUnheard(['truck-1', 'truck-2'])
  }

  it('are looked at again after ten minutes', () => {
    heard.note(['truck-1'])
    expect(unheardAfter(0)).toEqual(['truck-2'])
    expect(unheardAfter(10)).toEqual(['truck-2'])
    expect(unheardAfter(0.1)).toEqual(['truck-1', 'truck-2'])
  })

  it('are not looked at while this process moves them, but for once in up to an hour', () => {
    heard.note(['truck-1'])
    for (let minutes = 9; minutes <= 45; minutes += 9) {
      expect(unheardAfter(9)).toEqual(['truck-2'])
      heard.renew(['truck-1', 'truck-2'])
    }
    expect(unheardAfter(0.1)).toEqual(['truck-1', 'truck-2'])
  })

  it('are not all looked at in one moment', () => {
    let turn = 0
    const spread = new HeardDevices(
      () => nowMs,
      () => turn++ / 100,
    )
    const ids = Array.from({ length: 100 }, (_, index) => `truck-${index}`)
    spread.note(ids)
    const counts: number[] = []
    for (let minute = 6; minute <= 60; minute += 6) {
      nowMs += 6 * MINUTE_MS
      spread.renew(ids)
      counts.push(spread.listUnheard(ids).length)
    }
    expect(counts).toEqual([0, 0, 0, 0, 0, 20, 40, 60, 80, 100])
  })

  it('are forgotten when told so, and no renewal brings them back', () => {
    heard.note(['truck-1'])
    heard.forget(['truck-1'])
    heard.renew(['truck-1'])
    expect(unheardAfter(0)).toEqual(['truck-1', 'truck-2'])
  })

  it('give way to newer ones beyond 200,000', () => {
    heard.note(['truck-1', 'truck-2'])
    heard.note(Array.from({ length: 199_999 }, (_, index) => `other-${index}`))
    expect(unheardAfter(0)).toEqual(['truck-1'])
  })
})

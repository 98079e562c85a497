import { decodePositions } from '../src/codecs/device-json/decode-positions.js'
import { Fleet } from './fleet.js'

describe('Fleet', () => {
  it('sends what it says it sent, a second later each time', () => {
    const fleet = new Fleet(3)
    const batch = JSON.parse(fleet.nextBatch(2, 300))
    const single = JSON.parse(fleet.nextPosition(2))
    expect([...batch, single]).toEqual(Array.from({ length: 301 }, (_, n) => fleet.positionOf(2, n)))
    expect(fleet.sent).toEqual([0, 0, 301])
    expect(Date.parse(single.time)).toBe(fleet.timeMsOf(300))
    expect(fleet.timeMsOf(300) - fleet.timeMsOf(0)).toBe(300_000)
  })

  it('sends positions that can be stored', () => {
    const fleet = new Fleet(1)
    const records = decodePositions(JSON.parse(fleet.nextBatch(0, 256)), '350000000000006', Date.now())
    expect(
      Array.isArray(records) && records.every((record) => typeof record === 'object' && 'position' in record),
    ).toBe(true)
  })
})

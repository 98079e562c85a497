import fc from 'fast-check'
import { isInBox } from '../../model/position.js'
import { cellOf, cellRangesOf } from './alarm-cells.js'

const latitudes = fc.double({ min: -90, max: 90, noNaN: true })
const longitudes = fc.double({ min: -180, max: 180, noNaN: true })
const boxes = fc.tuple(latitudes, latitudes, longitudes, longitudes).map(([a, b, minLongitude, maxLongitude]) => ({
  minLatitude: Math.min(a, b),
  maxLatitude: Math.max(a, b),
  minLongitude,
  maxLongitude,
}))
const isCovered = (box: Parameters<typeof cellRangesOf>[0], latitude: number, longitude: number) =>
  cellRangesOf(box).some(
    ({ first, last }) => cellOf(latitude, longitude) >= first && cellOf(latitude, longitude) <= last,
  )

describe('cells of the grid', () => {
  it('of every point in a box are among the ranges of the box, across the date line too', () => {
    fc.assert(
      fc.property(boxes, latitudes, longitudes, (box, latitude, longitude) => {
        return !isInBox(box, latitude, longitude) || isCovered(box, latitude, longitude)
      }),
      { numRuns: 2000 },
    )
  })

  it('of the corners of a box are among its ranges', () => {
    fc.assert(
      fc.property(boxes, (box) => {
        const { minLatitude, maxLatitude, minLongitude, maxLongitude } = box
        return isCovered(box, minLatitude, minLongitude) && isCovered(box, maxLatitude, maxLongitude)
      }),
    )
  })

  it('are few ranges, in order and apart, whatever the box', () => {
    fc.assert(
      fc.property(boxes, (box) => {
        const ranges = cellRangesOf(box)
        expect(ranges.length).toBeGreaterThan(0)
        expect(ranges.length).toBeLessThanOrEqual(12)
        for (const { first, last } of ranges) expect(first).toBeLessThanOrEqual(last)
        const starts = ranges.slice(1).map(({ first }) => first)
        for (const [index, first] of starts.entries()) expect(first).toBeGreaterThan((ranges[index]?.last ?? 0) + 1)
      }),
      // A box that goes around nearly the whole earth: its two sides share cells.
      { examples: [[{ minLatitude: 0, maxLatitude: 2, minLongitude: 1, maxLongitude: 0.5 }]] },
    )
  })

  it('of the whole earth are one range, and of a city a ten-thousandth of it at most', () => {
    const earth = { minLatitude: -90, maxLatitude: 90, minLongitude: -180, maxLongitude: 180 }
    const city = { minLatitude: 48.05, maxLatitude: 48.25, minLongitude: 11.35, maxLongitude: 11.75 }

    expect(cellRangesOf(earth)).toEqual([{ first: 0, last: 2 ** 28 - 1 }])
    const cells = cellRangesOf(city).reduce((sum, { first, last }) => sum + last - first + 1, 0)
    expect(cells).toBeLessThan(2 ** 28 / 10_000)
  })
})

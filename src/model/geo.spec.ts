import { greatCircleM, MEAN_EARTH_RADIUS_M } from './geo.js'

describe('greatCircleM', () => {
  it('is zero between a point and itself', () => expect(greatCircleM(48.1, 11.5, 48.1, 11.5)).toBe(0))
  it('is a quarter of the circumference from pole to equator', () => {
    expect(greatCircleM(90, 0, 0, 77)).toBeCloseTo((Math.PI / 2) * MEAN_EARTH_RADIUS_M, 6)
  })
  it('is half the circumference between antipodes', () => {
    expect(greatCircleM(48, 11, -48, -169)).toBeCloseTo(Math.PI * MEAN_EARTH_RADIUS_M, 3)
  })
  it('takes the short way across the 180° meridian', () => {
    expect(greatCircleM(0, 179.5, 0, -179.5)).toBeCloseTo((Math.PI / 180) * MEAN_EARTH_RADIUS_M, 6)
  })
})

import type { Fix } from './drive.js'
import { withMotion } from './motion.js'

const METRES_PER_DEGREE = 111_195.08

function fixAt(timeS: number, northM: number, more: Partial<Fix> = {}): Fix {
  return {
    timeMs: timeS * 1000,
    latitude: northM / METRES_PER_DEGREE,
    longitude: 0,
    altitudeM: null,
    speedKmh: null,
    headingDeg: null,
    satellites: null,
    ...more,
  }
}

const motionOf = (...fixes: Fix[]) => withMotion(fixes).map(({ speedKmh, headingDeg }) => [speedKmh, headingDeg])

describe('withMotion', () => {
  it('takes the speed over the legs before and after a fix', () => {
    expect(motionOf(fixAt(0, 0), fixAt(1, 10), fixAt(2, 30))).toEqual([
      [36, 0],
      [54, 0],
      [72, 0],
    ])
  })

  it('keeps what the recording says', () => {
    expect(motionOf(fixAt(0, 0, { speedKmh: 5, headingDeg: 77 }), fixAt(1, 10))).toEqual([
      [5, 77],
      [36, 0],
    ])
  })

  it('heads south at 180 degrees and keeps the heading while standing', () => {
    expect(motionOf(fixAt(0, 20), fixAt(1, 0), fixAt(2, 0), fixAt(3, 0))).toEqual([
      [72, 180],
      [36, 180],
      [0, 180],
      [0, 180],
    ])
  })

  it('knows nothing of a fix that is alone, or a long pause away from the others', () => {
    expect(motionOf(fixAt(0, 0))).toEqual([[null, null]])
    expect(motionOf(fixAt(0, 0), fixAt(3600, 10))).toEqual([
      [null, null],
      [null, null],
    ])
  })

  it('heads east at 90 degrees, across the 180° meridian too', () => {
    expect(motionOf(fixAt(0, 0, { longitude: 179.9999 }), fixAt(1, 0, { longitude: -179.9999 }))).toEqual([
      [80.1, 90],
      [80.1, 90],
    ])
  })
})

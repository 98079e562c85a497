import { fitInto, fitWidth, shownSize } from './shown-size.js'

describe('shownSize', () => {
  it.each([
    [1, { width: 720, height: 576 }],
    [16 / 15, { width: 768, height: 576 }],
    [64 / 45, { width: 1024, height: 576 }],
    [0.5, { width: 720, height: 1152 }],
  ])('widens or heightens frames whose pixels are %d wide', (pixelWidth, shown) => {
    expect(shownSize({ width: 720, height: 576 }, pixelWidth)).toEqual(shown)
  })

  it.each([9, 1 / 9, 1e9, 1e-9])('does not believe in pixels that are %d wide', (pixelWidth) => {
    expect(shownSize({ width: 720, height: 576 }, pixelWidth)).toEqual({ width: 720, height: 576 })
  })
})

describe('fitInto', () => {
  it.each([
    [
      { width: 1920, height: 1080 },
      { width: 1280, height: 720 },
    ],
    [
      { width: 1080, height: 1920 },
      { width: 720, height: 1280 },
    ],
    [
      { width: 640, height: 480 },
      { width: 640, height: 480 },
    ],
    [
      { width: 641, height: 479 },
      { width: 642, height: 480 },
    ],
    [
      { width: 16_000, height: 2 },
      { width: 1280, height: 2 },
    ],
  ])('fits %j into 1280 as %j', (size, fitting) => {
    expect(fitInto(size, 1280)).toEqual(fitting)
  })
})

describe('fitWidth', () => {
  it.each([
    [
      { width: 1920, height: 1080 },
      { width: 320, height: 180 },
    ],
    [
      { width: 160, height: 120 },
      { width: 320, height: 240 },
    ],
    [
      { width: 1080, height: 1920 },
      { width: 320, height: 568 },
    ],
    [
      { width: 10_000, height: 1 },
      { width: 320, height: 2 },
    ],
    [
      { width: 1, height: 10_000 },
      { width: 320, height: 1280 },
    ],
  ])('makes of %j %j', (size, fitting) => {
    expect(fitWidth(size, 320, 1280)).toEqual(fitting)
  })
})

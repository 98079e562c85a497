/** In pixels. */
export interface PixelSize {
  readonly width: number
  readonly height: number
}

/** Pixels of another shape than this are a defect of the file. */
const MAX_PIXEL_STRETCH = 8

/**
 * The size at which a player shows frames whose pixels are not square: the shorter side of the pixel grows, as in the `<video>`
 * element, so that nothing gets lost. Rotation is in the frames already.
 * @param pixelWidth width of a pixel in heights
 */
export function shownSize({ width, height }: PixelSize, pixelWidth: number): PixelSize {
  if (pixelWidth > MAX_PIXEL_STRETCH || pixelWidth < 1 / MAX_PIXEL_STRETCH) return { width, height }
  return pixelWidth >= 1
    ? { width: Math.round(width * pixelWidth), height }
    : { width, height: Math.round(height / pixelWidth) }
}

/** As large as fits, with the same shape but for even sides, and never enlarged by more than that. */
export function fitInto({ width, height }: PixelSize, side: number): PixelSize {
  const factor = Math.min(1, side / Math.max(width, height))
  return { width: even(width * factor), height: even(height * factor) }
}

/** As wide as given, with an even height. */
export function fitWidth({ width, height }: PixelSize, toWidth: number, maxHeight: number): PixelSize {
  return { width: toWidth, height: Math.min(maxHeight, even((height * toWidth) / width)) }
}

/** Colour comes in squares of two by two pixels. */
function even(length: number): number {
  return Math.max(2, 2 * Math.round(length / 2))
}

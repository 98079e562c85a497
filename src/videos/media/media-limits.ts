const MIB = 1_048_576

/** What the media tool may take for one video, whatever is in the file. */
export interface MediaLimits {
  /** Wall clock of one call of the tool. */
  readonly callMs: number
  /** Wall clock of all calls for one video. */
  readonly videoMs: number
  /** What is read as a whole takes as long as this more: a file of 4 GiB may be good, and its disk slow. */
  readonly readingBytesPerMs: number
  /** Address space of the tool. */
  readonly memoryBytes: number
  /** One block of the tool's memory. */
  readonly blockBytes: number
  readonly videoPixels: number
  readonly picturePixels: number
  /** Largest picture that is taken from the tool. */
  readonly outputBytes: number
  /** What the tool may say on its standard error; nothing of it is kept. */
  readonly noiseBytes: number
}

/**
 * An evidence clip of a minute takes the tool about a second. Most memory is needed by a video of 4096 × 4096 with sixteen
 * reference frames, 430 MB, and by shared libraries of builds that are not static, which count as address space.
 */
export const MEDIA_LIMITS: MediaLimits = {
  callMs: 30_000,
  videoMs: 60_000,
  readingBytesPerMs: 40_000,
  memoryBytes: 2048 * MIB,
  blockBytes: 256 * MIB,
  videoPixels: 4096 * 4096,
  picturePixels: 8192 * 8192,
  outputBytes: 8 * MIB,
  noiseBytes: MIB,
}

/** For reading a whole file once. */
export function readingMs(bytes: number, { readingBytesPerMs }: MediaLimits): number {
  return Math.ceil(bytes / readingBytesPerMs)
}

/** Behind everything that serves units, and still a tenth of a core while all of them are taken. */
export const TOOL_NICENESS = 10
/** Longer side of a screenshot; smaller videos are not enlarged. */
export const SCREENSHOT_SIDE = 1280
export const THUMBNAIL_WIDTH = 320
/** Of a video that is a thin stripe. */
export const THUMBNAIL_MAX_HEIGHT = 1280

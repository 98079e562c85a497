import { type MediaFacts, SCREENSHOTS } from '../../model/video.js'
import type { Ffmpeg, MediaSource, Probe } from './ffmpeg.js'
import { SCREENSHOT_SIDE, THUMBNAIL_MAX_HEIGHT, THUMBNAIL_WIDTH } from './media-limits.js'
import type { Moment } from './packet-listing.js'
import type { ToolEnd } from './run-tool.js'
import { fitInto, fitWidth, type PixelSize } from './shown-size.js'

/** Why nothing can be made of a file. */
export type MediaDefect = 'not_decodable' | 'too_slow' | 'media_tool_failed'

/** What was found in a file, or why not; `facts` holds what could be read all the same. */
export type MediaFinding =
  | {
      readonly outcome: 'ready'
      readonly facts: MediaFacts
      readonly thumbnail: Buffer
      readonly screenshots: readonly Buffer[]
    }
  | { readonly outcome: 'failed'; readonly reason: MediaDefect; readonly facts: MediaFacts }
  /** The tool crashed: once may be chance. */
  | { readonly outcome: 'crashed'; readonly facts: MediaFacts }
  | { readonly outcome: 'tool_missing' }
  | { readonly outcome: 'stopped' }

/** Parts of the length at which the screenshots are taken; the beginning and the end are often black. */
const MOMENTS = Array.from({ length: SCREENSHOTS }, (_, index) => (2 * index + 1) / (2 * SCREENSHOTS))

/**
 * Reads what a file is and takes its pictures: of a video one at 1/6, 1/2 and 5/6 of its length, the thumbnail being the first of
 * them in small, of a picture the thumbnail only. A moment that cannot be decoded is left out; without any picture the file is
 * not decodable.
 */
export async function readMedia(tool: Ffmpeg, source: MediaSource): Promise<MediaFinding> {
  const probe = await tool.probe(source, source.type === 'image/jpeg' ? [] : MOMENTS)
  const facts = factsOf(probe)
  if (probe.shown === null) return findingWithout(probe.end, facts)
  // The tool may complain of damaged bytes behind a picture; what came before them is a video all the same.
  if (probe.end !== 'done' && probe.end !== 'refused') return findingWithout(probe.end, facts)
  const thumbnailSize = fitWidth(probe.shown, THUMBNAIL_WIDTH, THUMBNAIL_MAX_HEIGHT)
  if (source.type === 'image/jpeg') return takeAtBeginning(tool, source, facts, thumbnailSize)
  return takeThroughout(tool, source, probe.moments, facts, thumbnailSize, fitInto(probe.shown, SCREENSHOT_SIDE))
}

async function takeThroughout(
  tool: Ffmpeg,
  source: MediaSource,
  moments: readonly Moment[],
  facts: MediaFacts,
  thumbnailSize: PixelSize,
  screenshotSize: PixelSize,
): Promise<MediaFinding> {
  let thumbnail: Buffer | null = null
  const screenshots: Buffer[] = []
  for (const moment of moments) {
    const sizes = thumbnail === null ? [screenshotSize, thumbnailSize] : [screenshotSize]
    const { end, pictures } = await tool.takePictures(source, moment, sizes)
    if (end === 'stopped' || end === 'missing') return findingWithout(end, facts)
    const [screenshot, small] = pictures
    if (screenshot) screenshots.push(screenshot)
    thumbnail ??= small ?? null
  }
  if (thumbnail === null) return takeAtBeginning(tool, source, facts, thumbnailSize)
  return { outcome: 'ready', facts, thumbnail, screenshots }
}

async function takeAtBeginning(
  tool: Ffmpeg,
  source: MediaSource,
  facts: MediaFacts,
  size: PixelSize,
): Promise<MediaFinding> {
  const { end, pictures } = await tool.takePictures(source, null, [size])
  const [thumbnail] = pictures
  return thumbnail ? { outcome: 'ready', facts, thumbnail, screenshots: [] } : findingWithout(end, facts)
}

function findingWithout(end: ToolEnd, facts: MediaFacts): MediaFinding {
  switch (end) {
    case 'missing':
      return { outcome: 'tool_missing' }
    case 'stopped':
      return { outcome: 'stopped' }
    case 'crashed':
      return { outcome: 'crashed', facts }
    case 'too_slow':
      return { outcome: 'failed', reason: 'too_slow', facts }
    case 'too_much':
      return { outcome: 'failed', reason: 'media_tool_failed', facts }
    case 'done':
    case 'refused':
      return { outcome: 'failed', reason: 'not_decodable', facts }
  }
}

function factsOf({ codec, durationS, shown, stored }: Probe): MediaFacts {
  const size = shown ?? stored
  return { durationS, codec, width: size?.width ?? null, height: size?.height ?? null }
}

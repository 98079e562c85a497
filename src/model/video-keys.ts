import type { Video } from './video.js'

/** Where the blob store keeps the file: under the unit's own space. */
export function fileKeyOf({ deviceId, fileName }: Pick<Video, 'deviceId' | 'fileName'>): string {
  return `${deviceId}/${fileName}`
}

/** First segment of the keys of all that was made from videos. A device may have this name, too. */
export const DERIVED = 'derived'

/**
 * First segments of the keys of everything that was made from a video. Since a device may be called as the
 * first of them, objects are removed under both and never under the first alone.
 */
export function derivedSegmentsOf(videoId: string): readonly [string, string] {
  return [DERIVED, videoId]
}

export function thumbnailKeyOf(videoId: string): string {
  return [...derivedSegmentsOf(videoId), 'thumbnail.jpg'].join('/')
}

/** @param number from 1 */
export function screenshotKeyOf(videoId: string, number: number): string {
  return [...derivedSegmentsOf(videoId), `screenshot-${number}.jpg`].join('/')
}

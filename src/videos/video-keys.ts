import type { Video } from '../model/video.js'

/** Where the blob store keeps the file: under the unit's own space. */
export function fileKeyOf({ deviceId, fileName }: Pick<Video, 'deviceId' | 'fileName'>): string {
  return `${deviceId}/${fileName}`
}

/**
 * First segments of the keys of everything that was made from a video. A device may be called `derived` as well, so objects are
 * removed under both segments and never under the first alone.
 */
export function derivedSegmentsOf(videoId: string): readonly [string, string] {
  return ['derived', videoId]
}

export function thumbnailKeyOf(videoId: string): string {
  return [...derivedSegmentsOf(videoId), 'thumbnail.jpg'].join('/')
}

/** @param number from 1 */
export function screenshotKeyOf(videoId: string, number: number): string {
  return [...derivedSegmentsOf(videoId), `screenshot-${number}.jpg`].join('/')
}

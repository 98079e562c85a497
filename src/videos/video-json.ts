import { formatTime } from '../model/time.js'
import type { Video } from '../model/video.js'
import { API } from '../web/api-path.js'
import type { VideoJson } from './video.schema.js'

/** Where a video's file and pictures are, as paths of this API; null and none: not made. */
export interface VideoPaths {
  readonly content: string
  readonly thumbnail: string | null
  readonly screenshots: string[]
}

export function videoPathsOf({ id, hasThumbnail, screenshots }: Video): VideoPaths {
  const base = `/${API}/videos/${id}`
  return {
    content: `${base}/content`,
    thumbnail: hasThumbnail ? `${base}/thumbnail` : null,
    screenshots: Array.from({ length: screenshots }, (_, index) => `${base}/screenshots/${index + 1}`),
  }
}

/** What users and units are shown of a video, over REST and on the live feed. */
export function toVideoJson(video: Video): VideoJson {
  return {
    id: video.id,
    deviceId: video.deviceId,
    fileName: video.fileName,
    bytes: video.bytes,
    sha256: video.sha256,
    contentType: video.contentType,
    status: video.status,
    failureReason: video.failureReason,
    recordedAt: video.recordedAtMs === null ? null : formatTime(video.recordedAtMs),
    uploadedAt: formatTime(video.uploadedAtMs),
    durationS: video.durationS,
    width: video.width,
    height: video.height,
    codec: video.codec,
    keep: video.keep,
    alarmIds: [...video.alarmIds],
    links: videoPathsOf(video),
  }
}

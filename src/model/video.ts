import type { DeviceId } from './device-id.js'

/** How far the background work on a video is. */
export const VIDEO_STATUSES = ['processing', 'ready', 'failed'] as const
export type VideoStatus = (typeof VIDEO_STATUSES)[number]

/** What the bytes are, by themselves; the way to read a file is chosen by this and never by its name. */
export const MEDIA_TYPES = [
  'video/mp4',
  'video/quicktime',
  'video/3gpp',
  'video/x-msvideo',
  'video/x-matroska',
  'video/webm',
  'video/mp2t',
  'video/mpeg',
  'image/jpeg',
] as const
export type MediaType = (typeof MEDIA_TYPES)[number]

/** Screenshots of a video, numbered from 1. */
export const SCREENSHOTS = 3

/** What the background worker found out. */
export interface MediaFacts {
  /** null: a picture. */
  readonly durationS: number | null
  readonly width: number | null
  readonly height: number | null
  /** Short name as ffmpeg gives it, such as `h264`. */
  readonly codec: string | null
}

/** A file that a unit uploaded, whole. */
export interface Video extends MediaFacts {
  readonly id: string
  readonly deviceId: DeviceId
  readonly fileName: string
  readonly bytes: number
  /** Lower-case hex. */
  readonly sha256: string
  readonly contentType: MediaType
  readonly status: VideoStatus
  /** Stable words such as `media_tool_missing`, `not_decodable`, `too_slow`; null unless failed. */
  readonly failureReason: string | null
  /** Unit's clock; null: it did not say. */
  readonly recordedAtMs: number | null
  readonly uploadedAtMs: number
  /** Protected from retention. */
  readonly keep: boolean
  readonly hasThumbnail: boolean
  /** How many screenshots there are, 0..3. */
  readonly screenshots: number
  /** Alarms that name this file, newest first. */
  readonly alarmIds: readonly string[]
}

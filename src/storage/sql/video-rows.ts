import type { Video } from '../../model/video.js'
import type { VideoRow } from './entities/video-entity.js'
import { chunksOf, isOneOf, runSql, sql } from './sql-rows.js'
import type { SqlSource } from './sql-source.js'
import { MOST_ALARM_IDS, type NewVideo } from './video-records.js'

const ASKED_AT_ONCE = 500

/** The videos of rows, with the alarms that name their files. */
export async function toVideos(source: SqlSource, rows: readonly VideoRow[]): Promise<Video[]> {
  const alarmIds = await findAlarmIds(
    source,
    rows.map(({ id }) => id),
  )
  return rows.map((row) => toVideo(row, alarmIds.get(row.id) ?? []))
}

/** What a reservation was made with. */
export function toNewVideo(row: VideoRow): NewVideo {
  const { id, deviceId, fileName, bytes, sha256, contentType, recordedAtMs, reservedAtMs } = row
  const blobUploadId = row.blobUploadId ?? ''
  return { id, deviceId, fileName, bytes, sha256, contentType, recordedAtMs, reservedAtMs, blobUploadId }
}

/** The row of a name that is taken now. */
export function toReservedRow(video: NewVideo): VideoRow {
  return {
    ...video,
    status: 'processing',
    failureReason: null,
    uploadedAtMs: null,
    listedAtMs: null,
    durationMs: null,
    width: null,
    height: null,
    codec: null,
    keep: false,
    hasThumbnail: false,
    screenshots: 0,
    attempts: 0,
    claimedBy: null,
    claimedAtMs: null,
  }
}

function toVideo(row: VideoRow, alarmIds: readonly string[]): Video {
  return {
    id: row.id,
    deviceId: row.deviceId,
    fileName: row.fileName,
    bytes: row.bytes,
    sha256: row.sha256,
    contentType: row.contentType,
    status: row.status,
    failureReason: row.failureReason,
    recordedAtMs: row.recordedAtMs,
    uploadedAtMs: row.uploadedAtMs ?? row.reservedAtMs,
    durationS: row.durationMs === null ? null : row.durationMs / 1000,
    width: row.width,
    height: row.height,
    codec: row.codec,
    keep: row.keep,
    hasThumbnail: row.hasThumbnail,
    screenshots: row.screenshots,
    alarmIds,
  }
}

/** Ids of alarms by the ids of videos, newest first: they sort by the alarms' times. */
async function findAlarmIds(source: SqlSource, videoIds: readonly string[]): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>()
  for (const some of chunksOf(videoIds, ASKED_AT_ONCE)) {
    const { text, values } = isOneOf('v.id', some)
    const named = `SELECT v.id AS video_id, f.alarm_id, ROW_NUMBER() OVER (PARTITION BY v.id ORDER BY f.alarm_id DESC) AS place
      FROM videos v JOIN alarm_files f ON f.device_id = v.device_id AND f.file_name = v.file_name WHERE ${text}`
    const newest = `SELECT video_id, alarm_id FROM (${named}) AS named WHERE place <= ? ORDER BY video_id, place`
    const rows = await runSql<{ video_id: string; alarm_id: string }>(source, sql(newest, ...values, MOST_ALARM_IDS))
    for (const { video_id, alarm_id } of rows) {
      const ids = found.get(video_id)
      if (ids) ids.push(alarm_id)
      else found.set(video_id, [alarm_id])
    }
  }
  return found
}

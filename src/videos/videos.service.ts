import { Injectable } from '@nestjs/common'
import { z } from 'zod'
import { AuditLog } from '../identity/audit-log.js'
import { AppError } from '../model/app-error.js'
import type { Video } from '../model/video.js'
import type { Through } from '../storage/sql/sql-store.js'
import { type VideoQuery, VideoRecords } from '../storage/sql/video-records.js'
import { Cursors, type Page } from '../web/cursor.js'
import { SignedLinks } from './signed-links.js'
import type { SignedLinksJson, VideoChangesIn, VideoJson, VideoQueryIn } from './video.schema.js'
import { VideoEvents } from './video-events.js'
import { toVideoJson } from './video-json.js'
import { VideoRemoval } from './video-removal.js'

const cursors = new Cursors('videos', z.tuple([z.int(), z.string().max(64)]))

/** Who makes a change, and from where. */
export interface Actor {
  readonly by: string
  readonly address: string
}

/** What users see of videos and do with them. */
@Injectable()
export class VideosService {
  constructor(
    private readonly records: VideoRecords,
    private readonly removal: VideoRemoval,
    private readonly links: SignedLinks,
    private readonly events: VideoEvents,
    private readonly audit: AuditLog,
  ) {}

  /** Newest first. @throws AppError `invalid_cursor` */
  async list(query: VideoQueryIn): Promise<Page<VideoJson>> {
    const videos = await this.records.list(toRecordsQuery(query))
    return cursors.page(videos, query.limit, keyOf, toVideoJson)
  }

  /** @throws AppError `not_found` */
  async get(id: string): Promise<VideoJson> {
    return toVideoJson(await this.find(id))
  }

  /** @throws AppError `not_found` */
  async sign(id: string): Promise<SignedLinksJson> {
    return this.links.sign(await this.find(id))
  }

  /** @throws AppError `not_found` */
  async change(id: string, { keep }: VideoChangesIn, actor: Actor): Promise<VideoJson> {
    const before = await this.find(id)
    if (before.keep === keep) return toVideoJson(before)
    const video = await this.audit.change(
      ({ videos }) => videos.setKeep(id, keep),
      (kept) => kept && { ...actor, action: 'video.update', target: id, detail: { ...nameOf(kept), keep } },
    )
    if (video === undefined) throw new AppError('not_found')
    this.events.tell(video, 'changed')
    return toVideoJson(video)
  }

  /** Removes the video, its file and its pictures. @throws AppError `not_found` */
  async delete(id: string, actor: Actor): Promise<void> {
    const through: Through<VideoRecords, Video | undefined> = (hide) =>
      this.audit.change(
        ({ videos }) => hide(videos),
        (video) => video && { ...actor, action: 'video.delete', target: id, detail: factsOf(video) },
      )
    const removed = await this.removal.remove(id, { through })
    if (removed === undefined) throw new AppError('not_found')
  }

  private async find(id: string): Promise<Video> {
    const video = await this.records.find(id)
    if (video === undefined) throw new AppError('not_found')
    return video
  }
}

const factsOf = (video: Video) => ({ ...nameOf(video), bytes: video.bytes, sha256: video.sha256 })

const nameOf = ({ deviceId, fileName }: Video) => ({ deviceId, fileName })

const keyOf = ({ id, recordedAtMs, uploadedAtMs }: Video): [number, string] => [recordedAtMs ?? uploadedAtMs, id]

function toRecordsQuery({ deviceId, fileName, from, to, alarmId, status, limit, cursor }: VideoQueryIn): VideoQuery {
  const key = cursors.decode(cursor)
  return {
    limit: limit + 1,
    ...(deviceId === undefined ? {} : { deviceIds: deviceId }),
    ...(fileName === undefined ? {} : { fileNames: fileName }),
    ...(from === undefined ? {} : { fromMs: from }),
    ...(to === undefined ? {} : { toMs: to }),
    ...(alarmId === undefined ? {} : { alarmIds: alarmId }),
    ...(status === undefined ? {} : { statuses: status }),
    ...(key === undefined ? {} : { after: { atMs: key[0], id: key[1] } }),
  }
}

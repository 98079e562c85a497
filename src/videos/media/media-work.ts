import path from 'node:path'
import { Logger } from '@nestjs/common'
import type { Metrics } from '../../metrics/metrics.js'
import type { Video } from '../../model/video.js'
import { derivedSegmentsOf, fileKeyOf, screenshotKeyOf, thumbnailKeyOf } from '../../model/video-keys.js'
import type { BlobStore, LocalFile } from '../../storage/blobs/blob-store.js'
import { CLAIMED_FOR_MS, type MediaOutcome, type VideoRecords } from '../../storage/sql/video-records.js'
import type { VideoEvents } from '../video-events.js'
import type { VideoLocks } from '../video-locks.js'
import { inEmptyDirectory } from './empty-directory.js'
import { Ffmpeg } from './ffmpeg.js'
import type { MediaLimits } from './media-limits.js'
import type { MediaTool } from './media-tool.js'
import { type MediaDefect, type MediaFinding, readMedia } from './read-media.js'

/** Beginnings of the work on one file, over restarts and crashes of the tool, before it is given up. */
export const MAX_ATTEMPTS = 3

/** Why a video stays without pictures. */
export type FailureReason = MediaDefect | 'media_tool_missing' | 'object_missing'

/** `settled`: it has its outcome; `later`: it must be tried again; `stopped`: it was left as it was. */
export type WorkEnd = 'settled' | 'later' | 'stopped'

type Ready = Extract<MediaFinding, { outcome: 'ready' }>

/** The work on one video: read its file, store its pictures, then say so. A crash anywhere leaves it to be done again. */
export class MediaWork {
  private readonly logger = new Logger('media')

  constructor(
    private readonly records: VideoRecords,
    private readonly blobs: BlobStore,
    private readonly events: VideoEvents,
    private readonly tool: MediaTool,
    private readonly metrics: Metrics,
    private readonly limits: MediaLimits,
    private readonly locks: VideoLocks,
  ) {}

  /** @throws whatever a store throws: it is away, and the file is not to blame */
  async do(video: Video, stop: AbortSignal): Promise<WorkEnd> {
    const program = this.tool.path
    if (program === undefined) return this.fail(video, 'media_tool_missing')
    if (!(await this.isFree(video))) return 'later'
    const file = await this.blobs.openLocal(fileKeyOf(video), stop)
    if (file === undefined) return this.fail(video, 'object_missing')
    try {
      return await this.doWith(program, file, video, stop)
    } finally {
      await file.release()
    }
  }

  /**
   * A node that died while it stored the pictures has claimed the row for a while yet: the file is not to blame for that, so that no
   * attempt is counted, and need not be read in vain.
   */
  private isFree({ id }: Video): Promise<boolean> {
    return this.locks.run(id, async () => {
      if (!(await this.records.claim(id, CLAIMED_FOR_MS))) return false
      await this.records.unclaim(id)
      return true
    })
  }

  private async doWith(program: string, file: LocalFile, video: Video, stop: AbortSignal): Promise<WorkEnd> {
    const attempt = await this.records.countAttempt(video.id)
    if (attempt > MAX_ATTEMPTS) return this.fail(video, 'media_tool_failed')
    const startedMs = performance.now()
    const finding = await this.read(program, file, video, stop)
    if (finding.outcome === 'stopped' || stop.aborted) return 'stopped'
    this.metrics.mediaSeconds.observe((performance.now() - startedMs) / 1000)
    switch (finding.outcome) {
      case 'ready':
        return this.keep(video, finding)
      case 'failed':
        // On a machine that is busy with units the tool may be slow, and no file is to blame for that.
        if (finding.reason === 'too_slow' && attempt < MAX_ATTEMPTS) return this.putOff(video, 'too_slow')
        return this.fail(video, finding.reason, finding.facts)
      case 'crashed':
        if (attempt < MAX_ATTEMPTS) return this.putOff(video, 'media_tool_failed')
        return this.fail(video, 'media_tool_failed', finding.facts)
      case 'tool_missing':
        this.tool.miss('it went away while it was needed', program)
        return this.fail(video, 'media_tool_missing')
    }
  }

  private read(program: string, file: LocalFile, video: Video, stop: AbortSignal): Promise<MediaFinding> {
    return inEmptyDirectory((directory) => {
      const source = { file: path.resolve(file.path), type: video.contentType, bytes: video.bytes }
      return readMedia(new Ffmpeg(program, directory, this.limits, stop), source)
    })
  }

  /** Its row must outlast its pictures, whoever removes it: else nobody would know of them after a crash. */
  private keep(video: Video, finding: Ready): Promise<WorkEnd> {
    return this.locks.run(video.id, async () => {
      // Else it is gone, or another node works on it.
      if (!(await this.records.claim(video.id, CLAIMED_FOR_MS))) return 'later'
      try {
        return await this.putPictures(video, finding)
      } finally {
        await this.records.unclaim(video.id).catch(() => undefined)
      }
    })
  }

  private async putPictures(video: Video, finding: Ready): Promise<WorkEnd> {
    const { facts, thumbnail, screenshots } = finding
    await this.blobs.put(thumbnailKeyOf(video.id), thumbnail)
    for (const [index, screenshot] of screenshots.entries()) {
      await this.blobs.put(screenshotKeyOf(video.id, index + 1), screenshot)
    }
    return this.settle(video, {
      ...facts,
      status: 'ready',
      failureReason: null,
      hasThumbnail: true,
      screenshots: screenshots.length,
    })
  }

  private putOff({ id }: Video, reason: MediaDefect): WorkEnd {
    this.logger.warn({ event: 'media_put_off', videoId: id, reason })
    return 'later'
  }

  private async fail(video: Video, reason: FailureReason, facts: Partial<MediaOutcome> = {}): Promise<WorkEnd> {
    const { id: videoId, deviceId } = video
    // That there is no tool was said once; with each video it would be said a thousand times.
    if (reason !== 'media_tool_missing') this.logger.warn({ event: 'media_failed', videoId, deviceId, reason })
    return this.settle(video, { ...facts, status: 'failed', failureReason: reason })
  }

  private async settle(video: Video, outcome: MediaOutcome): Promise<WorkEnd> {
    const settled = await this.records.setOutcome(video.id, outcome)
    // It was removed meanwhile, maybe before its pictures were stored.
    if (settled === undefined) await this.blobs.removeUnder(...derivedSegmentsOf(video.id))
    else this.events.tell(settled, 'changed')
    this.metrics.mediaOutcomes.inc({ outcome: outcome.failureReason ?? outcome.status })
    return 'settled'
  }
}

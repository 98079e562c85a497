import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common'
import type { Video } from '../model/video.js'
import { derivedSegmentsOf, fileKeyOf } from '../model/video-keys.js'
import { BlobStore } from '../storage/blobs/blob-store.js'
import type { Through } from '../storage/sql/sql-store.js'
import { CLAIMED_FOR_MS, VideoRecords } from '../storage/sql/video-records.js'
import { VideoEvents } from './video-events.js'
import { VideoLocks } from './video-locks.js'

const HOUR_MS = 3_600_000
/** Removals that are finished in one go; more wait for the next. */
const SWEEP_VIDEOS = 500

export interface RemovalOptions {
  /** Leaves a video alone that somebody keeps. */
  readonly unlessKept?: boolean
  /** How its row is hidden, unless somebody else is removing it already: such as with what else is written then. */
  readonly through?: Through<VideoRecords, Video | undefined>
}

/**
 * Removes videos: the row is hidden, then the pictures and the file go, then the row. So nothing lists a video without its file, and
 * what a crash leaves half-way is known by its hidden row and finished at the next start, or within the hour. Of several nodes the one
 * that has claimed the row does it; what another one left is gone on with when its claim counts no more.
 */
@Injectable()
export class VideoRemoval implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('videos')
  /** Two at once on one video: the slower one could remove a new file of the same name. */
  private readonly underWay = new Map<string, Promise<Video | undefined>>()
  private timer: NodeJS.Timeout | undefined
  private isStopping = false

  constructor(
    private readonly records: VideoRecords,
    private readonly blobs: BlobStore,
    private readonly events: VideoEvents,
    private readonly locks: VideoLocks,
  ) {}

  onApplicationBootstrap(): void {
    void this.sweep()
  }

  onModuleDestroy(): void {
    this.isStopping = true
    clearTimeout(this.timer)
  }

  /**
   * Removes the video, its file and its pictures. When this fails half-way the video is gone from all lists, and repeating it goes on.
   * Where another node is just removing it, or putting its file or its pictures in their places, this leaves the rest to the sweeps.
   * @returns the video as it was, or undefined when there is none (that may be removed)
   */
  remove(id: string, options: RemovalOptions = {}): Promise<Video | undefined> {
    const underWay = this.underWay.get(id)
    // One that spared the video, since it is kept, does not speak for one that would not.
    if (underWay !== undefined)
      return underWay.then((video) => video ?? (options.unlessKept ? video : this.remove(id, options)))
    const removal = this.run(id, options).finally(() => this.underWay.delete(id))
    this.underWay.set(id, removal)
    return removal
  }

  /** Finishes what was left half-way. Never throws: what fails now is tried again. */
  async sweep(): Promise<void> {
    try {
      for (const { id } of await this.records.listHidden(SWEEP_VIDEOS)) {
        if (this.isStopping) return
        if (!(await this.records.claim(id, CLAIMED_FOR_MS))) continue
        await this.remove(id)
        this.logger.log({ event: 'video_removal_finished', videoId: id })
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      if (!this.isStopping) this.logger.warn({ event: 'video_removal_failed', reason })
    } finally {
      if (!this.isStopping) this.timer = setTimeout(() => void this.sweep(), HOUR_MS).unref()
    }
  }

  private async run(id: string, { unlessKept, through }: RemovalOptions): Promise<Video | undefined> {
    const hide = (videos: VideoRecords) => videos.hide(id, unlessKept)
    const video = await (through === undefined ? hide(this.records) : through(hide))
    if (video === undefined) return undefined
    this.events.tell(video, 'removed')
    await this.locks.run(id, () => this.removeObjects(video))
    return video
  }

  private async removeObjects(video: Video): Promise<void> {
    const { id } = video
    if (!(await this.records.claim(id, CLAIMED_FOR_MS))) return
    await this.blobs.removeUnder(...derivedSegmentsOf(id))
    // Right before: was this held up for too long, another node has ended it, and the file of that name may be a new one.
    if (!(await this.records.claim(id, CLAIMED_FOR_MS))) return
    await this.blobs.remove(fileKeyOf(video))
    await this.records.remove(id)
  }
}

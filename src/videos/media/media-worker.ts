import { Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common'
import type { Metrics } from '../../metrics/metrics.js'
import type { Video } from '../../model/video.js'
import type { DiskGuard } from '../../storage/disk-guard.js'
import type { VideoRecords } from '../../storage/sql/video-records.js'
import { within } from '../../web/within.js'
import type { VideoEvents } from '../video-events.js'
import { Bell } from './bell.js'
import { sweepEmptyDirectories } from './empty-directory.js'
import type { MediaTool } from './media-tool.js'
import type { MediaWork } from './media-work.js'

/** How often the records are asked when nobody says that there is something to do, and a missing tool is looked for. */
const POLL_MS = 60_000
/** After a store was away, or the tool crashed or was too slow. */
const AGAIN_AFTER_MS = 60_000
/** Videos that wait for their next try; with so many the stores are away, and all of them wait. */
const MAX_DEFERRED = 200
/** A stop waits no longer for a store: what was worked on is done again after the next start. */
const STOP_AFTER_MS = 2000

/**
 * Works on videos, a few at a time. What there is to do is asked of the records and never remembered, so that work which a kill
 * interrupts is found again at the next start.
 */
export class MediaWorker implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('media')
  private readonly bell = new Bell()
  private readonly stop = new AbortController()
  private readonly running = new Set<string>()
  /** Video → when it may be tried again. */
  private readonly deferred = new Map<string, number>()
  private choosing: Promise<unknown> = Promise.resolve()
  private loops: Promise<void>[] = []
  private poll: NodeJS.Timeout | undefined

  /**
   * @param workers videos at the same time; 0: none here
   * @param work does one video
   */
  constructor(
    private readonly workers: number,
    private readonly records: VideoRecords,
    private readonly work: Pick<MediaWork, 'do'>,
    private readonly tool: MediaTool,
    private readonly disk: Pick<DiskGuard, 'isFull'>,
    private readonly metrics: Metrics,
    private readonly pollMs = POLL_MS,
    private readonly againAfterMs = AGAIN_AFTER_MS,
    private readonly stopAfterMs = STOP_AFTER_MS,
  ) {}

  /** Must be told of videos that can be seen now. */
  watch(events: VideoEvents): void {
    events.onVideo((_video, event) => {
      if (event === 'shown') this.bell.ring()
    })
  }

  onApplicationBootstrap(): void {
    if (this.workers === 0) return
    void sweepEmptyDirectories()
    const looked = this.tool.look(this.stop.signal)
    this.loops = Array.from({ length: this.workers }, () => looked.then(() => this.loop()))
    this.poll = setInterval(() => void this.lookAgain(), this.pollMs).unref()
  }

  /** Ends the tools at once; what they worked on stays as it was. */
  async onModuleDestroy(): Promise<void> {
    clearInterval(this.poll)
    this.stop.abort()
    this.bell.ring()
    await within(Promise.all(this.loops), this.stopAfterMs).catch(() => undefined)
  }

  private async lookAgain(): Promise<void> {
    if (this.tool.path === undefined) await this.tool.look(this.stop.signal)
    this.bell.ring()
  }

  private async loop(): Promise<void> {
    while (!this.stop.signal.aborted) {
      const heard = this.bell.count
      const video = await this.choose()
      if (video !== undefined) await this.take(video)
      else if (!this.stop.signal.aborted) await this.bell.wait(heard, this.pollMs)
    }
  }

  private async take(video: Video): Promise<void> {
    try {
      const end = await this.work.do(video, this.stop.signal)
      if (end === 'later') this.defer(video)
    } catch (error) {
      if (!this.stop.signal.aborted) this.putOff(error, video)
    } finally {
      this.running.delete(video.id)
      this.metrics.mediaRunning.set(this.running.size)
    }
  }

  /** One after the other, so that no two take the same. Never throws: a store that is away is asked again with the next poll. */
  private choose(): Promise<Video | undefined> {
    const chosen = this.choosing.then(() => this.chooseNow()).catch((error: unknown) => this.putOff(error))
    this.choosing = chosen
    return chosen
  }

  private async chooseNow(): Promise<Video | undefined> {
    this.forgetDeferred()
    // Pictures are writes, and evidence comes first.
    if (this.stop.signal.aborted || this.disk.isFull || this.deferred.size >= MAX_DEFERRED) return undefined
    // Of these, one that is done by the time of the answer may still be in it.
    const wasRunning = new Set(this.running)
    const known = wasRunning.size + this.deferred.size
    const page = await this.records.listToProcess(known + 1, this.tool.path !== undefined)
    const video = page.find(({ id }) => !wasRunning.has(id) && !this.deferred.has(id))
    if (video === undefined || this.stop.signal.aborted) return undefined
    this.running.add(video.id)
    this.metrics.mediaRunning.set(this.running.size)
    return video
  }

  private putOff(error: unknown, video?: Video): undefined {
    if (video !== undefined) this.defer(video)
    const reason = error instanceof Error ? error.message : String(error)
    this.logger.warn({ event: 'media_put_off', videoId: video?.id ?? null, reason })
  }

  private defer({ id }: Video): void {
    this.deferred.set(id, performance.now() + this.againAfterMs)
  }

  private forgetDeferred(): void {
    const nowMs = performance.now()
    for (const [id, atMs] of this.deferred) if (atMs <= nowMs) this.deferred.delete(id)
  }
}

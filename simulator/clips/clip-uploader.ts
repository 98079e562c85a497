import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import type { Clock } from '../clock.js'
import type { Random } from '../random.js'
import { BackOff } from '../unit/back-off.js'
import type { DurableQueue } from '../unit/durable-queue.js'
import type { LinkRider } from '../unit/link-rider.js'
import { count, type Tally } from '../unit/tally.js'
import type { ClipFile, ClipUploads } from '../unit/unit-transport.js'
import type { ClipJob } from './clip-job.js'
import { ClipError, type ClipMaker } from './clip-maker.js'

/** How a job ended: the server has the clip, or never will. */
export type ClipEnd =
  | { readonly videoId: string; readonly failure?: undefined }
  | { readonly videoId?: undefined; readonly failure: string }

export interface ClipUploaderParts {
  readonly deviceId: string
  readonly uploads: ClipUploads
  readonly maker: ClipMaker
  readonly queue: DurableQueue<ClipJob>
  readonly clock: Clock
  readonly random: Random
  readonly tally: Tally
  /** Called before the job leaves the queue: whoever dies in between is called again. */
  handleEnd(job: ClipJob, end: ClipEnd): void
  handleChange(): void
  handleFailure(error: unknown): void
}

/** One unit's clips: made and uploaded one after the other, each until the server has it or never will. */
export class ClipUploader implements LinkRider {
  private readonly backOff: BackOff
  private readonly stopping = new AbortController()
  /** Ends what is under way; undefined while nothing is. */
  private current: AbortController | undefined
  private working: Promise<void> | undefined
  private downUntilMs = 0

  constructor(private readonly parts: ClipUploaderParts) {
    this.backOff = new BackOff(parts.random)
  }

  get pending(): number {
    return this.parts.queue.pending
  }

  /** @throws the file system's error when the job cannot be kept */
  add(job: ClipJob): void {
    this.parts.queue.add(job)
    this.wake()
  }

  /** Files do not go over the link, but a unit that was never let in has no business to upload. */
  handleLink(): void {
    this.wake()
  }

  async handleLinkEnd(): Promise<void> {}

  /** Drops what is under way and goes on when the time is over. */
  pause(downMs: number): void {
    this.downUntilMs = this.parts.clock.nowMs() + downMs
    this.current?.abort()
  }

  stop(): void {
    this.stopping.abort()
    this.current?.abort()
  }

  /** Resolves when nothing is under way. */
  async whenIdle(): Promise<void> {
    await this.working
  }

  private wake(): void {
    this.working ??= this.work()
      .catch((error: unknown) => this.parts.handleFailure(error))
      .finally(() => {
        this.working = undefined
        if (this.parts.queue.waiting > 0 && !this.stopping.signal.aborted) this.wake() // added in this very moment
      })
  }

  private async work(): Promise<void> {
    const { clock, queue } = this.parts
    const { signal } = this.stopping
    while (!signal.aborted) {
      const downMs = this.downUntilMs - clock.nowMs()
      if (downMs > 0) await clock.sleep(downMs, signal)
      if (signal.aborted) return
      const job = queue.take()
      if (job === undefined) return
      const waitMs = await this.tryOne(job)
      if (waitMs === undefined) continue
      queue.giveBack(job)
      await clock.sleep(waitMs, signal)
    }
  }

  /** @returns how long to wait before the next attempt; undefined: the job has ended */
  private async tryOne(job: ClipJob): Promise<number | undefined> {
    const { tally, uploads } = this.parts
    this.current = new AbortController()
    const { signal } = this.current
    try {
      const outcome = await uploads.upload(await this.prepare(job, signal), signal)
      if (outcome.videoId !== undefined) {
        this.backOff.noteSuccess()
        tally.clipsUploaded++
        return await this.finish(job, { videoId: outcome.videoId })
      }
      if (signal.aborted) return 0
      if (outcome.isLasting) return await this.finish(job, { failure: outcome.refusal.code })
      tally.uploadsRepeated++
      return this.backOff.nextMs(outcome.refusal)
    } catch (error) {
      if (signal.aborted) return 0
      if (!(error instanceof ClipError)) throw error
      return await this.finish(job, { failure: 'clip_not_made' })
    } finally {
      this.current = undefined
    }
  }

  private async prepare(job: ClipJob, signal: AbortSignal): Promise<ClipFile> {
    const { deviceId, maker } = this.parts
    const path = await maker.make({ deviceId, ...job }, signal)
    const { size } = await stat(path)
    return { path, fileName: job.fileName, bytes: size, sha256: await digestOf(path), recordedAtMs: job.fromMs }
  }

  private async finish(job: ClipJob, end: ClipEnd): Promise<undefined> {
    const { deviceId, maker, queue, tally } = this.parts
    if (end.failure !== undefined) count(tally.clipsFailed, end.failure)
    this.parts.handleEnd(job, end)
    queue.settle(job)
    await maker.discard({ deviceId, fileName: job.fileName })
    this.parts.handleChange()
  }
}

async function digestOf(file: string): Promise<Buffer> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest()
}

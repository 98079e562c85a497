import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common'
import type { Alarm } from '../model/alarm.js'
import type { DeviceId } from '../model/device-id.js'
import { AlarmRecords, type NamedFile } from '../storage/sql/alarm-records.js'
import { AlarmNews } from './alarm-news.js'

/** The store is asked again after these, since nobody else will say it once more. */
const RETRY_AFTER_MS = [500, 5000, 30_000, 120_000]
const CHECKED_AT_ONCE = 500
/** Names that may wait to be looked at; beyond, the sweep finds them. */
const MAX_UNCHECKED = 20_000

/** Keeps the files of alarms joined to the videos that they have become. What it had to give up is left to the sweep. */
@Injectable()
export class AlarmLinks implements OnModuleDestroy {
  private readonly logger = new Logger('alarms')
  private readonly running = new Set<Promise<void>>()
  private readonly stopping = new AbortController()
  private unchecked: NamedFile[] = []
  private isChecking = false
  private isIncomplete = false

  constructor(
    private readonly records: AlarmRecords,
    private readonly news: AlarmNews,
  ) {}

  /** A video of this name was shown, or is gone. Never throws, never waits; the alarms that name it follow, and are news. */
  videoChanged(deviceId: DeviceId, fileName: string): void {
    this.run(this.follow({ deviceId, fileName }))
  }

  /**
   * The alarm is on disk, new or with new names. Where transactions run beside each other, a video was perhaps shown meanwhile by one that
   * could not see the alarm, as the alarm's own could not see the video: this looks once more. Never throws, never waits.
   */
  alarmStored({ deviceId, files }: Alarm): void {
    // What is stored while the server stops is looked at after the next start.
    if (this.stopping.signal.aborted) return
    for (const { fileName, videoId } of files) if (videoId === null) this.unchecked.push({ deviceId, fileName })
    if (this.unchecked.length > MAX_UNCHECKED) {
      this.unchecked.length = MAX_UNCHECKED
      this.isIncomplete = true
    }
    if (this.unchecked.length === 0 || this.isChecking) return
    this.isChecking = true
    this.run(this.check())
  }

  /** Joins the file of that name as its video is now; resolves when it is so, or was given up. Never throws. */
  async follow(file: NamedFile): Promise<void> {
    const untold = new Set<string>()
    await this.persist(file, async () => {
      for (let ids = await this.relink(file); ids.length > 0; ids = await this.relink(file)) {
        for (const id of ids) untold.add(id)
      }
      for (const id of untold) {
        const alarm = await this.records.find(id)
        untold.delete(id)
        if (alarm !== undefined) this.news.publish(alarm)
      }
    })
  }

  /** Whether something was given up since the last call. */
  takeIncomplete(): boolean {
    const { isIncomplete } = this
    this.isIncomplete = false
    return isIncomplete
  }

  /** What failed is not tried again any more. */
  stopTrying(): void {
    this.stopping.abort()
  }

  /** Resolves when nothing is under way. */
  async onModuleDestroy(): Promise<void> {
    this.stopTrying()
    while (this.running.size > 0) await Promise.all(this.running)
  }

  private run(promise: Promise<void>): void {
    const work = promise.finally(() => this.running.delete(work))
    this.running.add(work)
  }

  private async check(): Promise<void> {
    while (this.unchecked.length > 0) {
      const files = this.unchecked.splice(0, CHECKED_AT_ONCE)
      await this.persist(files[0], async () => {
        for (const { deviceId, fileName } of await this.records.findUnjoined(files))
          this.videoChanged(deviceId, fileName)
      })
    }
    this.isChecking = false
  }

  private relink({ deviceId, fileName }: NamedFile): Promise<string[]> {
    return this.records.relink(deviceId, fileName)
  }

  /** @param file what the work is about, for the log */
  private async persist(file: NamedFile | undefined, work: () => Promise<void>): Promise<void> {
    for (const retryAfterMs of [...RETRY_AFTER_MS, undefined]) {
      try {
        await work()
        return
      } catch (error) {
        if (retryAfterMs === undefined || !(await this.pause(retryAfterMs))) {
          const reason = error instanceof Error ? error.message : String(error)
          this.logger.warn({ event: 'alarm_not_linked', ...file, reason })
          this.isIncomplete = true
          return
        }
      }
    }
  }

  /** @returns false: the server is stopping */
  private pause(delayMs: number): Promise<boolean> {
    const { signal } = this.stopping
    if (signal.aborted) return Promise.resolve(false)
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        signal.removeEventListener('abort', stop)
        resolve(true)
      }, delayMs)
      timer.unref()
      const stop = () => {
        clearTimeout(timer)
        resolve(false)
      }
      signal.addEventListener('abort', stop, { once: true })
    })
  }
}

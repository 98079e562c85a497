import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common'
import type { DeviceId } from '../model/device-id.js'
import { AlarmRecords } from '../storage/sql/alarm-records.js'
import { AlarmNews } from './alarm-news.js'

/** The store is asked again after these, since nobody else will say it once more. */
const RETRY_AFTER_MS = [500, 5000, 30_000, 120_000]

/** Keeps the files of alarms joined to the videos that they have become. */
@Injectable()
export class AlarmLinks implements OnModuleDestroy {
  private readonly logger = new Logger('alarms')
  private readonly running = new Set<Promise<void>>()
  private readonly stopping = new AbortController()

  constructor(
    private readonly records: AlarmRecords,
    private readonly news: AlarmNews,
  ) {}

  /** A video of this name was shown, or is gone. Never throws, never waits; the alarms that name it follow, and are news. */
  videoChanged(deviceId: DeviceId, fileName: string): void {
    const work = this.follow(deviceId, fileName).finally(() => this.running.delete(work))
    this.running.add(work)
  }

  /** Resolves when nothing is under way; what failed is not tried again any more. */
  async onModuleDestroy(): Promise<void> {
    this.stopping.abort()
    await Promise.all(this.running)
  }

  private async follow(deviceId: DeviceId, fileName: string): Promise<void> {
    for (const retryAfterMs of [...RETRY_AFTER_MS, undefined]) {
      try {
        await this.relink(deviceId, fileName)
        return
      } catch (error) {
        if (retryAfterMs === undefined || !(await this.pause(retryAfterMs))) {
          const reason = error instanceof Error ? error.message : String(error)
          this.logger.error({ event: 'alarm_not_linked', deviceId, fileName, reason })
          return
        }
      }
    }
  }

  private async relink(deviceId: DeviceId, fileName: string): Promise<void> {
    for (const id of await this.records.relink(deviceId, fileName)) {
      const alarm = await this.records.find(id)
      if (alarm !== undefined) this.news.publish(alarm)
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

import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common'
import { AlarmRecords } from '../storage/sql/alarm-records.js'
import { AlarmLinks } from './alarm-links.js'

const LOOK_EVERY_MS = 600_000

/**
 * Joins files of alarms to videos where a crash came between the two, or the store was away for too long: goes through all files that
 * alarms name once after each start, beside everything else, and again when something had to be given up.
 */
@Injectable()
export class AlarmLinkSweeper implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('alarms')
  private timer: NodeJS.Timeout | undefined
  private sweeping: Promise<void> = Promise.resolve()
  private isDue = true
  private isStopping = false

  constructor(
    private readonly records: AlarmRecords,
    private readonly links: AlarmLinks,
  ) {}

  onApplicationBootstrap(): void {
    this.look()
  }

  async onModuleDestroy(): Promise<void> {
    this.isStopping = true
    clearTimeout(this.timer)
    // The links are ended after this; the sweep may be in a pause of theirs that is longer than a stop may take.
    this.links.stopTrying()
    await this.sweeping
  }

  /** Sweeps if there is a reason to; the next look is some minutes after the end of this one. */
  private look(): void {
    if (this.links.takeIncomplete()) this.isDue = true
    this.sweeping = (this.isDue ? this.try() : Promise.resolve()).then(() => {
      if (!this.isStopping) this.timer = setTimeout(() => this.look(), LOOK_EVERY_MS).unref()
    })
  }

  private async try(): Promise<void> {
    try {
      this.isDue = false
      const joined = await this.sweep()
      if (joined > 0) this.logger.log({ event: 'alarms_relinked', files: joined })
    } catch (error) {
      this.isDue = true
      const reason = error instanceof Error ? error.message : String(error)
      this.logger.warn({ event: 'alarm_sweep_failed', reason })
    }
  }

  /** @returns how many files were joined otherwise */
  private async sweep(): Promise<number> {
    let joined = 0
    let after: string | undefined
    do {
      const { files, next } = await this.records.findUnjoinedAfter(after)
      // One after the other: after a long outage there may be very many.
      for (const file of files) {
        if (this.isStopping) return joined
        await this.links.follow(file)
      }
      joined += files.length
      after = next
    } while (after !== undefined && !this.isStopping)
    return joined
  }
}

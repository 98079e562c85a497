import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common'
import { CommandChanges } from './command-changes.js'
import { CommandDispatcher } from './command-dispatcher.js'
import { CommandSweeper } from './command-sweeper.js'
import { CommandTally } from './command-tally.js'
import { CommandWaits } from './command-waits.js'

const TICK_MS = 1000
/** Other processes change commands too, and whole devices are erased. */
const RECOUNT_EVERY_TICKS = 60
const SETTLE_EVERY_TICKS = 5

/** Starts what moves commands, once a second lets it see to what time brings, and stops it first of all when the server stops. */
@Injectable()
export class CommandClock implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('commands')
  private timer: NodeJS.Timeout | undefined
  private ticks = 0
  private isSettling = false

  constructor(
    private readonly changes: CommandChanges,
    private readonly dispatcher: CommandDispatcher,
    private readonly sweeper: CommandSweeper,
    private readonly tally: CommandTally,
    private readonly waits: CommandWaits,
  ) {}

  /** Before any unit is let in: what is overdue expires first, and nobody is sent it. */
  async onApplicationBootstrap(): Promise<void> {
    await this.tally.recount()
    await this.sweeper.start()
    await this.dispatcher.start()
    this.timer = setInterval(() => this.tick(), TICK_MS)
    this.timer.unref()
  }

  onModuleDestroy(): void {
    clearInterval(this.timer)
    this.waits.stop()
    this.dispatcher.stop()
    this.sweeper.stop()
  }

  private tick(): void {
    this.dispatcher.tick()
    this.sweeper.tick()
    this.ticks += 1
    if (this.ticks % RECOUNT_EVERY_TICKS === 0) void this.recount()
    if (this.ticks % SETTLE_EVERY_TICKS === 0 && !this.isSettling) void this.settle()
  }

  private async settle(): Promise<void> {
    this.isSettling = true
    try {
      await this.changes.settle()
    } catch (error) {
      // Asked again in a moment; that the store is away is told elsewhere.
      this.logger.debug({ event: 'commands_not_settled', reason: String(error) })
    } finally {
      this.isSettling = false
    }
  }

  private async recount(): Promise<void> {
    try {
      await this.tally.recount()
    } catch (error) {
      // Counted again in a minute; that the store is away is told elsewhere.
      this.logger.debug({ event: 'commands_not_counted', reason: String(error) })
    }
  }
}

import type { Metrics } from '../metrics/metrics.js'
import { type CommandStatus, hasEnded } from '../model/command.js'
import type { CommandRecord, CommandRecords } from '../storage/sql/command-records.js'

const OPEN: readonly CommandStatus[] = ['queued', 'sent', 'accepted']

/** Counts commands by what becomes of them; how many are open is corrected from the store now and then. */
export class CommandTally {
  private open = new Map<CommandStatus, number>()
  /** Grows with each change, so that a count of the store that was overtaken by one is not taken for true. */
  private changes = 0

  constructor(
    private readonly records: CommandRecords,
    private readonly metrics: Metrics,
  ) {
    metrics.watchOpenCommands(() => OPEN.map((status) => [status, Math.max(0, this.open.get(status) ?? 0)] as const))
  }

  /** A command came into being or was changed. */
  count(after: CommandRecord, before: CommandRecord | undefined): void {
    if (after.status === before?.status) return
    this.changes += 1
    const { type, status } = after
    this.metrics.commands.inc({ type, status })
    if (before !== undefined) this.add(before.status, -1)
    if (!hasEnded(status)) this.add(status, 1)
    if (before?.status === 'sent' && (status === 'accepted' || status === 'done' || status === 'failed')) {
      const sentAtMs = after.history.find((step) => step.status === 'sent')?.atMs
      const answeredAtMs = after.history.at(-1)?.atMs
      const isAnswer = after.message !== 'no_reply'
      if (isAnswer && sentAtMs !== undefined && answeredAtMs !== undefined) {
        this.metrics.commandAnswerSeconds.observe({ type }, (answeredAtMs - sentAtMs) / 1000)
      }
    }
  }

  /** Asks the store how many are open. @throws AppError `store_unavailable` */
  async recount(): Promise<void> {
    const changesBefore = this.changes
    const counted = await this.records.countOpen()
    if (this.changes === changesBefore) this.open = new Map(counted.map(({ status, count }) => [status, count]))
  }

  private add(status: CommandStatus, count: number): void {
    this.open.set(status, (this.open.get(status) ?? 0) + count)
  }
}

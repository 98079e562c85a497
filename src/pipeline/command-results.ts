import { Injectable } from '@nestjs/common'
import { CommandChanges } from '../commands/command-changes.js'
import { CommandDispatcher } from '../commands/command-dispatcher.js'
import { settle } from '../commands/command-life.js'
import { AppError } from '../model/app-error.js'
import type { CommandResult } from '../model/command.js'

/** The one place where what units say of their commands reaches them. */
@Injectable()
export class CommandResults {
  constructor(
    private readonly commands: CommandChanges,
    private readonly dispatcher: CommandDispatcher,
  ) {}

  /**
   * Resolves when the result is on disk, or was there, or came too late and is noted: it may be acknowledged then.
   * @throws AppError `command_not_found` (another device's too) | `disk_full` | `store_unavailable` | `overloaded`
   */
  async take(result: CommandResult): Promise<void> {
    const isOurs = ({ deviceId }: { readonly deviceId: string }) => deviceId === result.deviceId
    const taken = await this.commands.apply(result.id, (command, nowMs) => settle(command, result, nowMs), { isOurs })
    if (taken === undefined) throw new AppError('command_not_found')
  }
  /** The same for a unit that waits for no acknowledgement and says it once: kept for the store until it takes it. */
  takeOnce(result: CommandResult): void {
    this.dispatcher.handleLateResult(result)
  }
}

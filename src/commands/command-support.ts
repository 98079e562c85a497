import type { CommandParams, CommandType } from '../model/command.js'
import type { DeviceId } from '../model/device-id.js'

/** The command that a user wants, and what is known of the device that it is for. */
export interface CommandQuestion {
  readonly type: CommandType
  readonly params: CommandParams
  readonly deviceId: DeviceId
  readonly model: string | null
  readonly commandPassword: string | null
}

/** @returns why the protocol has nothing for this command, in words for the user; undefined: it has, or nobody knows */
export type SupportCheck = (protocol: string, question: CommandQuestion) => string | undefined

/** Whether a device's protocol has what a command wants. Those who know the protocols register here. */
export class CommandSupport {
  private readonly checks: SupportCheck[] = []

  /** Registers who knows protocols; must not throw or wait. */
  onAsk(check: SupportCheck): void {
    this.checks.push(check)
  }

  /** @returns the words of the first who knows why not */
  findObstacle(protocol: string, question: CommandQuestion): string | undefined {
    for (const check of this.checks) {
      const obstacle = check(protocol, question)
      if (obstacle !== undefined) return obstacle
    }
    return undefined
  }
}

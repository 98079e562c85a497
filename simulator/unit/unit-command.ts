import type { CommandReply } from '../../src/model/command.js'

/** What the server tells a unit to do; a type that the unit does not know is one that it does not support. */
export interface UnitCommand {
  readonly id: string
  readonly type: string
  readonly params: Readonly<Record<string, unknown>>
}

/** How a command ended. */
export interface CommandEnd extends CommandReply {
  readonly status: 'done' | 'failed'
}

/** What a unit says of a command whose end it had not answered with. */
export interface UnitCommandResult extends CommandEnd {
  readonly id: string
}

export function doneWith(result: unknown, message: string | null = null): CommandEnd {
  return { status: 'done', result: result ?? null, message }
}

/** @param message stable words such as `not_supported` */
export function failedBecause(message: string): CommandEnd {
  return { status: 'failed', result: null, message }
}

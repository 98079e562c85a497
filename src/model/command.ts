import type { DeviceId } from './device-id.js'

/** What a unit may be told to do. */
export const COMMAND_TYPES = ['RESET', 'REBOOT', 'SET_INTERVAL', 'SET_SERVER', 'REQUEST_VIDEO', 'CUSTOM'] as const
export type CommandType = (typeof COMMAND_TYPES)[number]

export const COMMAND_STATUSES = ['queued', 'sent', 'accepted', 'done', 'failed', 'expired', 'cancelled'] as const
/** `queued → sent → accepted → done | failed`, or `expired | cancelled`; `accepted` may be left out. */
export type CommandStatus = (typeof COMMAND_STATUSES)[number]

/** The states that nothing leaves. */
export const COMMAND_END_STATUSES = [
  'done',
  'failed',
  'expired',
  'cancelled',
] as const satisfies readonly CommandStatus[]

export function hasEnded(status: CommandStatus): boolean {
  return (COMMAND_END_STATUSES as readonly CommandStatus[]).includes(status)
}

/** As on the wire, checked per type before it is stored. */
export type CommandParams = Readonly<Record<string, unknown>>

/** One step in a command's life. */
export interface CommandStep {
  readonly atMs: number
  /** The state after the step; that of before it for something that was only noted. */
  readonly status: CommandStatus
  /** Stable words such as `resent`, `no_result`, `late_done`; null: nothing to add. */
  readonly detail: string | null
}

export interface Command {
  readonly id: string
  readonly deviceId: DeviceId
  readonly type: CommandType
  readonly params: CommandParams
  readonly status: CommandStatus
  /** Username. */
  readonly createdBy: string
  readonly createdAtMs: number
  readonly expiresAtMs: number
  /** What the unit gave with the end, as it came. */
  readonly result: unknown
  /** The unit's words, or the reason of an end such as `no_result`. */
  readonly message: string | null
  /** Oldest first. */
  readonly history: readonly CommandStep[]
}

/** What goes to the unit. */
export type CommandOrder = Pick<Command, 'id' | 'type' | 'params' | 'expiresAtMs'>

/** What a unit answers an order with. */
export interface CommandReply {
  readonly status: 'accepted' | 'done' | 'failed'
  readonly result: unknown
  readonly message: string | null
  /** It came with a result that is not kept: too large, or nested too deep. */
  readonly isResultLeftOut?: boolean
}

/** What a unit says later of an order that it had accepted. */
export interface CommandResult extends CommandReply {
  readonly id: string
  readonly deviceId: DeviceId
  readonly status: 'done' | 'failed'
}

import type { Command, CommandStatus } from '../../model/command.js'
import type { DeviceId } from '../../model/device-id.js'

/**
 * How a command was given to its unit: `repeatable`, on a link that carries ids, so that it may be given again; `once`, on one that
 * does not; `restarting`, the same for a restart whose unit has ended the link and is expected back.
 */
export type CommandDelivery = 'repeatable' | 'once' | 'restarting'

/** A command as it is stored. */
export interface CommandRecord extends Command {
  /** null: it was not given to the unit yet. */
  readonly delivery: CommandDelivery | null
  /** When time alone changes it next: it expires, or nobody waits any longer for a reply or a result. null: it has ended. */
  readonly dueAtMs: number | null
  /** Grows by one with each change. */
  readonly revision: number
}

export interface CommandQuery {
  readonly deviceId: DeviceId
  /** An empty list lets nothing through. */
  readonly statuses?: readonly CommandStatus[]
  readonly limit: number
  /** Exclusive: continue with commands older than this one. */
  readonly before?: { readonly createdAtMs: number; readonly id: string }
}

/**
 * Commands and their whole history. A record is only ever changed as a whole and against the revision that it was read at, so that
 * none takes two ways at once; and of each device at most one is `sent`, whoever sends.
 */
export abstract class CommandRecords {
  /**
   * @param requestKey what the request that makes it is known by when it comes again
   * @returns the command with its id and its first revision
   */
  abstract insert(command: Omit<CommandRecord, 'id' | 'revision'>, requestKey?: string): Promise<CommandRecord>
  abstract find(id: string): Promise<CommandRecord | undefined>
  /** The newest that this request made, if that was not before the time given. */
  abstract findByRequest(requestKey: string, createdSinceMs: number): Promise<CommandRecord | undefined>
  /** Newest first, ties by id in the same direction. */
  abstract list(query: CommandQuery): Promise<CommandRecord[]>
  /** The one whose turn it is: the one that is `sent`, else the oldest that is `queued`. */
  abstract findNext(deviceId: DeviceId): Promise<CommandRecord | undefined>
  /**
   * Puts the record in the place of the one that has its id and its revision.
   * @returns the record with its new revision; undefined, and nothing is changed: it was changed meanwhile, it is gone, or it would
   * be the second one of its device that is `sent`
   */
  abstract replace(record: CommandRecord): Promise<CommandRecord | undefined>
  /** Those whose time has come, the most overdue first. */
  abstract listDue(atMs: number, limit: number): Promise<CommandRecord[]>
  /** Commands that have not ended, oldest first. */
  abstract listOpen(deviceId: DeviceId, limit: number): Promise<CommandRecord[]>
  /** Devices that have a command which is `queued` or `sent`. */
  abstract listWaitingDevices(): Promise<DeviceId[]>
  /** How many there are of each state that is no end; states without any are left out. */
  abstract countOpen(): Promise<Array<{ readonly status: CommandStatus; readonly count: number }>>
  /** Removes the commands of a device, in steps. @returns how many */
  abstract eraseDevice(deviceId: DeviceId): Promise<number>
}

import { AppError } from '../model/app-error.js'
import type { DiskGuard } from '../storage/disk-guard.js'
import type { CommandRecord, CommandRecords } from '../storage/sql/command-records.js'
import type { Through } from '../storage/sql/sql-store.js'
import { begin, type CommandWish } from './command-life.js'

/** A change that others keep overtaking is given up after so many tries; nobody changes one command that often. */
const MAX_TRIES = 20
const RETRY_AFTER_MS = 1000

/** @returns the command as it is to be, or undefined to leave it as it is */
export type Rule = (command: CommandRecord, nowMs: number) => CommandRecord | undefined

type StoreThrough = Through<CommandRecords, CommandRecord | undefined>

interface ChangeOptions {
  readonly isOurs?: (command: CommandRecord) => boolean
  readonly through?: StoreThrough
  /** It is on the way to making room, and must not fail for the lack of it. */
  readonly makesRoom?: boolean
}

/** What was stored. `before` is undefined for a new command. */
type ChangeListener = (after: CommandRecord, before: CommandRecord | undefined) => void

/** The one way in which commands change: by a rule, against what is stored, told to those who registered once it is on disk. */
export class CommandChanges {
  private readonly listeners: ChangeListener[] = []

  constructor(
    private readonly records: CommandRecords,
    private readonly disk: DiskGuard,
    private readonly now: () => number = Date.now,
  ) {}

  /** Registers for stored changes, those of one command in their order; the listener must not throw or wait. */
  onChange(listener: ChangeListener): void {
    this.listeners.push(listener)
  }

  /**
   * @param requestKey what the request is known by when it comes again
   * @param through how it is stored, such as with what else is written then
   * @throws AppError `disk_full` | `store_unavailable`
   */
  async begin(
    wish: CommandWish,
    requestKey?: string,
    through: Through<CommandRecords, CommandRecord> = (write) => write(this.records),
  ): Promise<CommandRecord> {
    this.disk.assertWritable()
    const command = await through((commands) => commands.insert(begin(wish, this.now()), requestKey))
    this.tell(command, undefined)
    return command
  }

  /**
   * Applies the rule to the command as it is stored, and once more whenever somebody else was faster.
   * @param options.isOurs false: the command is left alone and is as if it were not there
   * @param options.through how it is stored, such as with what else is written then
   * @param options.makesRoom also on a full disk
   * @returns the command after it, changed or not; undefined: there is none
   * @throws AppError `disk_full` | `store_unavailable` | `overloaded`
   */
  async apply(
    id: string,
    rule: Rule,
    { isOurs = () => true, through, makesRoom = false }: ChangeOptions = {},
  ): Promise<{ readonly command: CommandRecord; readonly isChanged: boolean } | undefined> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const before = await this.records.find(id)
      if (before === undefined || !isOurs(before)) return undefined
      const after = rule(before, this.now())
      if (after === undefined) return { command: before, isChanged: false }
      const stored = await this.store(after, before, through, makesRoom)
      if (stored !== undefined) return { command: stored, isChanged: true }
    }
    throw new AppError('overloaded', 'The command changes too often', { retryAfterMs: RETRY_AFTER_MS })
  }

  /**
   * Applies the rule to a command that was just read.
   * @returns the command after it; undefined: the rule leaves it as it is, or it is not as it was read any more
   * @throws AppError `disk_full` | `store_unavailable`
   */
  async tryApply(before: CommandRecord, rule: Rule): Promise<CommandRecord | undefined> {
    const after = rule(before, this.now())
    return after === undefined ? undefined : this.store(after, before)
  }

  private async store(
    after: CommandRecord,
    before: CommandRecord,
    through: StoreThrough = (write) => write(this.records),
    makesRoom = false,
  ): Promise<CommandRecord | undefined> {
    if (!makesRoom) this.disk.assertWritable()
    const stored = await through((commands) => commands.replace(after))
    if (stored !== undefined) this.tell(stored, before)
    return stored
  }

  private tell(after: CommandRecord, before: CommandRecord | undefined): void {
    for (const listener of this.listeners) listener(after, before)
  }
}

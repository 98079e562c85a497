import { LRUCache } from 'lru-cache'
import { AppError } from '../model/app-error.js'
import type { DiskGuard } from '../storage/disk-guard.js'
import type { CommandRecord, CommandRecords } from '../storage/sql/command-records.js'
import type { Through } from '../storage/sql/sql-store.js'
import { begin, type CommandWish } from './command-life.js'

/** A change that others keep overtaking is given up after so many tries; nobody changes one command that often. */
const MAX_TRIES = 20
const RETRY_AFTER_MS = 1000
/** Changes and new commands that the store failed in, so that nobody knows whether they were kept. */
const MAX_DOUBTS = 10_000
/** A server that lost us may still be at it: what it has not kept by then, it never will. */
const DOUBT_LASTS_MS = 30_000
/** Of one command, each from the same state. */
const MAX_AFTERS = 10

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

/** What was to become of a command: one of these, or nothing. */
interface Doubt {
  readonly afters: readonly CommandRecord[]
  readonly before: CommandRecord
  readonly sinceMs: number
}

/**
 * The one way in which commands change: by a rule, against what is stored, told to those who registered once it is on disk. A change
 * that the store failed in may be kept all the same: it is told as soon as the store shows it.
 */
export class CommandChanges {
  private readonly listeners: ChangeListener[] = []
  private readonly doubts = new LRUCache<string, Doubt>({ max: MAX_DOUBTS })
  /** Requests whose commands may be there untold. */
  private readonly untold = new LRUCache<string, true>({ max: MAX_DOUBTS })

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
    const command = await through((commands) => commands.insert(begin(wish, this.now()), requestKey)).catch((error) => {
      if (requestKey !== undefined) this.untold.set(requestKey, true)
      throw error
    })
    this.tell(command, undefined)
    return command
  }

  /** A command that its request had made before was found: it is told if nobody could be, and nothing has become of it since. */
  found(made: CommandRecord, requestKey: string): void {
    if (this.untold.delete(requestKey) && made.history.length === 1) this.tell(made, undefined)
  }

  /**
   * A command was read: what was in doubt of it is told if it was kept.
   * @returns the command
   */
  seen<Read extends CommandRecord | undefined>(read: Read): Read {
    const doubt = read && this.doubts.get(read.id)
    if (read === undefined || doubt === undefined || read.revision <= doubt.before.revision) return read
    this.doubts.delete(read.id)
    const kept = doubt.afters.find((after) => isPartOf(after, read))
    if (kept !== undefined) this.tell({ ...kept, revision: kept.revision + 1 }, doubt.before)
    return read
  }

  /** Reads commands of which something is in doubt. @throws AppError `store_unavailable` */
  async settle(): Promise<void> {
    for (const [id, { sinceMs }] of [...this.doubts.entries()]) {
      const isOver = this.now() - sinceMs >= DOUBT_LASTS_MS
      this.seen(await this.records.find(id))
      if (isOver) this.doubts.delete(id)
    }
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
      const before = this.seen(await this.records.find(id))
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
    const after = rule(this.seen(before), this.now())
    return after === undefined ? undefined : this.store(after, before)
  }

  private async store(
    after: CommandRecord,
    before: CommandRecord,
    through: StoreThrough = (write) => write(this.records),
    makesRoom = false,
  ): Promise<CommandRecord | undefined> {
    if (!makesRoom) this.disk.assertWritable()
    const stored = await through((commands) => commands.replace(after)).catch((error) => {
      this.doubt(after, before)
      throw error
    })
    if (stored === undefined) return undefined
    this.doubts.delete(after.id)
    this.tell(stored, before)
    return stored
  }

  private doubt(after: CommandRecord, before: CommandRecord): void {
    const earlier = this.doubts.get(after.id)?.afters ?? []
    const afters = [...earlier.filter(({ revision }) => revision === after.revision), after].slice(-MAX_AFTERS)
    this.doubts.set(after.id, { afters, before, sinceMs: this.now() })
  }

  private tell(after: CommandRecord, before: CommandRecord | undefined): void {
    for (const listener of this.listeners) listener(after, before)
  }
}

/** Whether what was read has come of the change. */
function isPartOf(change: CommandRecord, { history }: CommandRecord): boolean {
  return JSON.stringify(history.slice(0, change.history.length)) === JSON.stringify(change.history)
}

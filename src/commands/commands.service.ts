import { Injectable } from '@nestjs/common'
import { z } from 'zod'
import { AuditLog } from '../identity/audit-log.js'
import { IDEMPOTENCY_KEY_MS } from '../identity/idempotency-claims.js'
import { AppError } from '../model/app-error.js'
import { type CommandType, hasEnded } from '../model/command.js'
import type { DeviceId } from '../model/device-id.js'
import { type CommandRecord, CommandRecords } from '../storage/sql/command-records.js'
import type { Through } from '../storage/sql/sql-store.js'
import type { Role } from '../storage/sql/user-records.js'
import { Cursors, type Page } from '../web/cursor.js'
import {
  type CommandJson,
  type CommandListIn,
  type NewCommandIn,
  toCommandJson,
  toCommandParams,
} from './command.schema.js'
import { CommandChanges } from './command-changes.js'
import { type CommandWish, cancel } from './command-life.js'
import { CommandTargets } from './command-targets.js'
import { CommandWaits } from './command-waits.js'

/** Only admins may send these: they take a unit away, or make it do anything. */
const FOR_ADMINS: ReadonlySet<CommandType> = new Set(['SET_SERVER', 'CUSTOM'])

const cursors = new Cursors('commands', z.tuple([z.int(), z.string()]))

/** Who sends a command, and from where. */
export interface Commander {
  readonly username: string
  readonly role: Role
  readonly address: string
  /** What the request is known by when it comes again; undefined: nothing. */
  readonly requestKey: string | undefined
}

/** How long a request wants to wait for the end. */
export interface Patience {
  readonly waitMs: number
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal
}

export interface SubmittedCommand {
  readonly command: CommandRecord
  /** Whether the wait was granted. */
  readonly hasWaited: boolean
}

/** What users do with commands. */
@Injectable()
export class CommandsService {
  constructor(
    private readonly records: CommandRecords,
    private readonly changes: CommandChanges,
    private readonly waits: CommandWaits,
    private readonly targets: CommandTargets,
    private readonly audit: AuditLog,
  ) {}

  /**
   * Stores a command, which then finds its way, and waits for its end if that is wanted. One that the same request has stored before,
   * when it was answered with an error or not at all, is not stored again.
   * @throws AppError `forbidden` | `not_found` | `device_disabled` | `unsupported_command` | `idempotency_key_reused` | `disk_full` |
   * `store_unavailable`
   */
  async submit(
    deviceId: DeviceId,
    wanted: NewCommandIn,
    by: Commander,
    patience: Patience | undefined,
  ): Promise<SubmittedCommand> {
    const { type, ttlSeconds } = wanted
    if (FOR_ADMINS.has(type) && by.role !== 'admin') throw new AppError('forbidden', `Only an admin may send ${type}`)
    const params = toCommandParams(wanted)
    const wish = { deviceId, type, params, ttlMs: ttlSeconds * 1000, createdBy: by.username }
    const made = await this.findMade(wish, by.requestKey)
    if (made === undefined) await this.targets.check(deviceId, type, params)
    const command = made ?? (await this.changes.begin(wish, by.requestKey, this.audited('command.create', by)))
    // From here on at once: its end must not come before somebody waits for it.
    const end = patience && this.wait(command, patience)
    if (made === undefined) await this.cancelIfGone(command)
    if (end === undefined) return { command, hasWaited: false }
    // Of a device that is erased its commands are gone a moment after they were cancelled: how this one ended is what it was told.
    // One that cannot be read now is stored all the same: told that it failed, somebody would send it once more.
    const current = (await end) ?? (await this.records.find(command.id).catch(() => undefined))
    return { command: current ?? command, hasWaited: true }
  }

  /** @throws AppError `not_found` | `invalid_cursor` */
  async list(deviceId: DeviceId, { status, limit, cursor }: CommandListIn): Promise<Page<CommandJson>> {
    const last = cursors.decode(cursor)
    if (!(await this.targets.isThere(deviceId))) throw new AppError('not_found')
    const before = last && { createdAtMs: last[0], id: last[1] }
    const rows = await this.records.list({ deviceId, statuses: status, limit: limit + 1, before })
    return cursors.page(rows, limit, ({ createdAtMs, id }) => [createdAtMs, id], toCommandJson)
  }

  /** @throws AppError `not_found` */
  async get(id: string): Promise<CommandJson> {
    const command = await this.records.find(id)
    if (command === undefined) throw new AppError('not_found')
    return toCommandJson(command)
  }

  /** @throws AppError `not_found` | `command_ended` | `disk_full` */
  async cancel(id: string, by: Commander): Promise<CommandJson> {
    const through = this.audited<CommandRecord | undefined>('command.cancel', by)
    const done = await this.changes.apply(id, (command, nowMs) => cancel(command, null, nowMs), { through })
    if (done === undefined) throw new AppError('not_found')
    if (!done.isChanged) throw new AppError('command_ended', `The command is ${done.command.status}`)
    return toCommandJson(done.command)
  }

  /** @returns undefined: there are too many who wait */
  private wait(command: CommandRecord, { waitMs, signal }: Patience): Promise<CommandRecord | undefined> | undefined {
    const { id, status } = command
    return hasEnded(status) ? Promise.resolve(command) : this.waits.waitForEnd(id, waitMs, signal)
  }

  private async findMade(wish: CommandWish, requestKey: string | undefined): Promise<CommandRecord | undefined> {
    if (requestKey === undefined) return undefined
    const made = await this.records.findByRequest(requestKey, Date.now() - IDEMPOTENCY_KEY_MS)
    if (made === undefined) return undefined
    const wanted = [wish.type, wish.params, wish.ttlMs]
    const isSame =
      JSON.stringify(wanted) === JSON.stringify([made.type, made.params, made.expiresAtMs - made.createdAtMs])
    if (!isSame) throw new AppError('idempotency_key_reused')
    this.changes.found(made, requestKey)
    return made
  }

  /** A device that was removed while the command was stored: nobody else would find it before the next start. */
  private async cancelIfGone({ id, deviceId }: CommandRecord): Promise<void> {
    const isThere = await this.targets.isThere(deviceId).catch(() => true)
    if (!isThere) await this.changes.apply(id, (one, nowMs) => cancel(one, 'device_deleted', nowMs))
  }

  /** Stores a command together with what is written down of it. */
  private audited<Stored extends CommandRecord | undefined>(
    action: string,
    { username, address }: Commander,
  ): Through<CommandRecords, Stored> {
    return (write) =>
      this.audit.change(
        ({ commands }) => write(commands),
        (stored) => stored && { by: username, address, action, target: stored.deviceId, detail: detailOf(stored) },
      )
  }
}

/** Without the text of CUSTOM, which may hold a unit's password; the command itself has it. */
function detailOf({ id, type, params }: CommandRecord): Record<string, unknown> {
  return { id, type, ...(type === 'CUSTOM' ? {} : { params }) }
}

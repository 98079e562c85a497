import { setImmediate as nextTurn } from 'node:timers/promises'
import { Injectable } from '@nestjs/common'
import { type AuditFact, AuditLog } from '../identity/audit-log.js'
import { hashDeviceSecret } from '../identity/device-secrets.js'
import { ErasingDevices } from '../identity/erasing-devices.js'
import { AppError } from '../model/app-error.js'
import type { DeviceId } from '../model/device-id.js'
import { countLines, readCsv } from '../web/csv-records.js'
import { type ImportCode, type ImportResult, type NewDeviceIn, newDeviceIn } from './device.schema.js'
import type { Actor } from './device-management.js'
import { DeviceRegistry } from './device-registry.js'

/** Lines of one import; a file over it is refused whole before anything is changed. */
export const MAX_IMPORT_LINES = 100_000
/** Lines after which others get their turn, even when none of them needs a store. */
const TURN_LINES = 100

const COLUMNS = Object.keys(newDeviceIn.shape)

type LineOutcome = { readonly did: 'created' | 'updated' } | { readonly code: ImportCode; readonly message: string }

/** Adds and changes many devices from a CSV file; each line stands for itself. */
@Injectable()
export class DeviceImport {
  constructor(
    private readonly registry: DeviceRegistry,
    private readonly audit: AuditLog,
    private readonly erasing: ErasingDevices,
  ) {}

  /**
   * Lines are taken in order. A device that is there is changed in the columns that the file has; an empty cell clears a label
   * and leaves a secret as it is. Repeating an import changes nothing more.
   * @param text the header row on line 1 names the columns as `POST /devices` names its fields, in any order
   * @throws AppError `invalid_request` when the header row is not right or the file is too long; nothing was changed then
   */
  async run(text: string, actor: Actor): Promise<ImportResult> {
    const columns = readHeader(text)
    assertLength(text)
    const result: ImportResult = { created: 0, updated: 0, rejected: [] }
    let lines = 0
    for (const { line, cells } of readCsv(text)) {
      if (line === 1) continue
      if (++lines % TURN_LINES === 0) await nextTurn()
      const outcome = await this.take(columns, cells, actor)
      if ('code' in outcome) result.rejected.push({ line, ...outcome })
      else result[outcome.did]++
    }
    return result
  }

  private async take(
    columns: readonly string[],
    cells: readonly string[] | undefined,
    actor: Actor,
  ): Promise<LineOutcome> {
    if (cells === undefined) return { code: 'invalid_csv', message: 'a quote is not where CSV has one, or not closed' }
    if (cells.length !== columns.length) {
      return { code: 'invalid_csv', message: `has ${cells.length} cells, the header row has ${columns.length}` }
    }
    const parsed = newDeviceIn.safeParse(toFields(columns, cells))
    if (!parsed.success) {
      const [issue] = parsed.error.issues
      return { code: 'invalid_field', message: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}` }
    }
    try {
      return await this.apply(parsed.data, actor)
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      const { code, message } = error
      if (code === 'invalid_imei') return { code, message }
      // Of this id alone; where the database has too much to do, the rest of the file is not tried.
      if (code === 'overloaded' && this.erasing.has(parsed.data.deviceId)) return { code, message }
      throw error
    }
  }

  private async apply(wanted: NewDeviceIn, actor: Actor): Promise<LineOutcome> {
    const { deviceId, secret, ...labels } = wanted
    const mayGoWithout = !this.registry.mustHaveSecret(deviceId)
    const secretHash = secret === undefined ? {} : { secretHash: hashDeviceSecret(secret) }
    const done = await this.registry.change(deviceId, { ...labels, ...secretHash }, (write) =>
      this.audit.change(
        ({ devices }) => write(devices),
        (one) => one && factOf(deviceId, actor, { did: 'updated', fields: one.changed.map(shownName) }),
      ),
    )
    if (done !== undefined) return { did: 'updated' }
    if (secret === undefined && !mayGoWithout) {
      return {
        code: 'secret_required',
        message: 'a device without an IMEI must have a secret, and one generated here could not be shown',
      }
    }
    const added = await this.registry.add(wanted, (write) =>
      this.audit.change(
        ({ devices }) => write(devices),
        (one) => one && factOf(deviceId, actor, { did: 'created', hasSecret: one.record.secretHash !== null }),
      ),
    )
    return added === undefined ? this.apply(wanted, actor) : { did: 'created' }
  }
}

/** As the file's column calls it. */
const shownName = (field: string) => (field === 'secretHash' ? 'secret' : field)

function factOf(deviceId: DeviceId, actor: Actor, detail: Record<string, unknown>): AuditFact {
  return { ...actor, action: 'device.import', target: deviceId, detail }
}

function readHeader(text: string): string[] {
  const [first] = readCsv(text)
  const columns = first?.cells?.map((cell) => cell.trim())
  if (first?.line !== 1 || columns === undefined) throw invalidHeader('Line 1 must be a header row')
  const unknown = columns.filter((column) => !COLUMNS.includes(column))
  if (unknown.length > 0) {
    throw invalidHeader(`Unknown columns: ${unknown.join(', ')}. Known are ${COLUMNS.join(', ')}, separated by commas`)
  }
  if (new Set(columns).size !== columns.length) throw invalidHeader('A column is named twice')
  if (!columns.includes('deviceId')) throw invalidHeader('The column deviceId is missing')
  return columns
}

function assertLength(text: string): void {
  if (countLines(text) > MAX_IMPORT_LINES + 1) {
    throw new AppError('invalid_request', `A file has at most ${MAX_IMPORT_LINES} lines; send it in parts`)
  }
}

const invalidHeader = (message: string) => new AppError('invalid_request', message.slice(0, 1000))

function toFields(columns: readonly string[], cells: readonly string[]): Record<string, string | null> {
  const fields = columns.map((column, index): [string, string | null] => [column, cells[index] ?? ''])
  return Object.fromEntries(
    fields
      .filter(([column, cell]) => column !== 'secret' || cell !== '')
      .map(([column, cell]) => [column, column === 'deviceId' ? (cell?.trim() ?? '') : cell]),
  )
}

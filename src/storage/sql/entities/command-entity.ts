import { EntitySchema } from 'typeorm'
import type { CommandRecord } from '../command-records.js'
import { textColumn, timeColumn } from './columns.js'

/** A row of `commands`. */
export interface CommandRow extends CommandRecord {
  /** The device, while the command is `sent`: unique, so that the database itself lets only one be. Never read back. */
  readonly place: string | null
  /** What the request that made it is known by; null: nothing. Never read back, and never changed. */
  readonly requestKey: string | null
}

export const CommandEntity = new EntitySchema<CommandRow>({
  name: 'Command',
  tableName: 'commands',
  columns: {
    id: textColumn('id', { primary: true }),
    deviceId: textColumn('device_id'),
    type: textColumn('type'),
    params: { name: 'params', type: 'simple-json' },
    status: textColumn('status'),
    createdBy: textColumn('created_by'),
    createdAtMs: timeColumn('created_at'),
    expiresAtMs: timeColumn('expires_at'),
    result: { name: 'result', type: 'simple-json', nullable: true },
    message: textColumn('message', { nullable: true }),
    history: { name: 'history', type: 'simple-json' },
    delivery: textColumn('delivery', { nullable: true }),
    dueAtMs: timeColumn('due_at', { nullable: true }),
    place: textColumn('place', { nullable: true, select: false }),
    requestKey: textColumn('request_key', { nullable: true, select: false }),
    revision: { name: 'revision', type: 'int' },
  },
})

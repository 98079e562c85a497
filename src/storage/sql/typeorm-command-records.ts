import type { QueryDeepPartialEntity, SelectQueryBuilder } from 'typeorm'
import type { CommandStatus } from '../../model/command.js'
import type { DeviceId } from '../../model/device-id.js'
import { type CommandQuery, type CommandRecord, CommandRecords } from './command-records.js'
import { datetimeOf } from './datetime.js'
import { CommandEntity, type CommandRow } from './entities/command-entity.js'
import { isDuplicateKey } from './sql-errors.js'
import type { SqlSource } from './sql-source.js'
import { TimeOrderedIds } from './time-ordered-id.js'

/** Removed at once, so that nobody waits long for the write lock. */
const REMOVED_AT_ONCE = 1000
const FIRST_REVISION = 1
/** Before all times: what is due after it is what is due at all. */
const EVER = new Date(0)

/** Commands in the relational database. */
export class TypeormCommandRecords extends CommandRecords {
  constructor(
    private readonly source: SqlSource,
    private readonly ids = new TimeOrderedIds(),
  ) {
    super()
  }

  /** The same commands, read and written in a transaction. */
  within(transaction: SqlSource): TypeormCommandRecords {
    return new TypeormCommandRecords(transaction, this.ids)
  }

  async insert(command: Omit<CommandRecord, 'id' | 'revision'>, requestKey?: string): Promise<CommandRecord> {
    const record = { ...command, id: this.ids.next(command.createdAtMs), revision: FIRST_REVISION }
    await this.source
      .createQueryBuilder()
      .insert()
      .into(CommandEntity)
      .values({ ...toRow(record), requestKey: requestKey ?? null })
      .updateEntity(false)
      .execute()
    return record
  }

  async find(id: string): Promise<CommandRecord | undefined> {
    return (await this.select().where('command.id = :id', { id }).getOne()) ?? undefined
  }

  async findByRequest(requestKey: string, createdSinceMs: number): Promise<CommandRecord | undefined> {
    const rows = this.select().where('command.requestKey = :requestKey AND command.createdAtMs >= :since', {
      requestKey,
      since: datetimeOf(createdSinceMs),
    })
    return (await rows.orderBy('command.createdAtMs', 'DESC').limit(1).getOne()) ?? undefined
  }

  async list({ deviceId, statuses, limit, before }: CommandQuery): Promise<CommandRecord[]> {
    if (statuses?.length === 0) return []
    const rows = this.select()
      .where('command.deviceId = :deviceId', { deviceId })
      .orderBy('command.createdAtMs', 'DESC')
      .addOrderBy('command.id', 'DESC')
      .limit(limit)
    const [first, ...more] = statuses ?? []
    // One value by equality: the index then gives the order too.
    if (more.length > 0) rows.andWhere('command.status IN (:...statuses)', { statuses })
    else if (first !== undefined) rows.andWhere('command.status = :first', { first })
    if (before) {
      // In two conditions, since not every database can search an index by a pair.
      const at = datetimeOf(before.createdAtMs)
      rows.andWhere('command.createdAtMs <= :at AND (command.createdAtMs < :at OR command.id < :id)', {
        at,
        id: before.id,
      })
    }
    return rows.getMany()
  }

  async findNext(deviceId: DeviceId): Promise<CommandRecord | undefined> {
    const sent = await this.select().where('command.place = :deviceId', { deviceId }).getOne()
    if (sent) return sent
    const queued = this.select().where('command.deviceId = :deviceId AND command.status = :status', {
      deviceId,
      status: 'queued' satisfies CommandStatus,
    })
    return (await queued.orderBy('command.createdAtMs').addOrderBy('command.id').limit(1).getOne()) ?? undefined
  }

  async replace(record: CommandRecord): Promise<CommandRecord | undefined> {
    const { id, revision } = record
    const next = { ...record, revision: revision + 1 }
    try {
      const { affected } = await this.source
        .createQueryBuilder()
        .update(CommandEntity)
        .set(toRow(next))
        .where('id = :id AND revision = :revision', { id, revision })
        .execute()
      return affected === 1 ? next : undefined
    } catch (error) {
      if (isDuplicateKey(error)) return undefined
      throw error
    }
  }

  async listDue(atMs: number, limit: number): Promise<CommandRecord[]> {
    const rows = this.select().where('command.dueAtMs <= :at', { at: datetimeOf(atMs) })
    return rows.orderBy('command.dueAtMs').limit(limit).getMany()
  }

  async listOpen(deviceId: DeviceId, limit: number): Promise<CommandRecord[]> {
    const rows = this.select().where('command.deviceId = :deviceId AND command.status IN (:...statuses)', {
      deviceId,
      statuses: ['queued', 'sent', 'accepted'] satisfies CommandStatus[],
    })
    return rows.orderBy('command.createdAtMs').addOrderBy('command.id').limit(limit).getMany()
  }

  async listWaitingDevices(): Promise<DeviceId[]> {
    const rows = await this.source
      .createQueryBuilder(CommandEntity, 'command')
      .select('command.deviceId', 'deviceId')
      .where('command.dueAtMs > :ever AND command.status IN (:...statuses)', {
        ever: EVER,
        statuses: ['queued', 'sent'] satisfies CommandStatus[],
      })
      .getRawMany<{ deviceId: DeviceId }>()
    // Not DISTINCT: SQLite then goes through all commands in the order of devices, those of years that have ended too.
    return [...new Set(rows.map(({ deviceId }) => deviceId))]
  }

  async countOpen(): Promise<Array<{ status: CommandStatus; count: number }>> {
    const rows = await this.source
      .createQueryBuilder(CommandEntity, 'command')
      .select('command.status', 'status')
      .addSelect('COUNT(*)', 'count')
      .where('command.dueAtMs > :ever', { ever: EVER })
      .groupBy('command.status')
      .getRawMany<{ status: CommandStatus; count: number | string }>()
    return rows.map(({ status, count }) => ({ status, count: Number(count) }))
  }

  async eraseDevice(deviceId: DeviceId): Promise<number> {
    let removed = 0
    for (;;) {
      const some = await this.select()
        .select(['command.id'])
        .where('command.deviceId = :deviceId', { deviceId })
        .limit(REMOVED_AT_ONCE)
        .getMany()
      if (some.length === 0) return removed
      const ids = some.map(({ id }) => id)
      await this.source.createQueryBuilder().delete().from(CommandEntity).where('id IN (:...ids)', { ids }).execute()
      removed += ids.length
    }
  }

  private select(): SelectQueryBuilder<CommandRow> {
    return this.source.createQueryBuilder(CommandEntity, 'command')
  }
}

/** TypeORM takes the free fields of `params` for columns of their own and demands functions for what is unknown in them. */
function toRow(record: CommandRecord): QueryDeepPartialEntity<CommandRow> {
  const place = record.status === 'sent' ? record.deviceId : null
  return { ...record, place } as unknown as QueryDeepPartialEntity<CommandRow>
}

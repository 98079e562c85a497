import { Readable } from 'node:stream'
import { Injectable, Logger } from '@nestjs/common'
import { z } from 'zod'
import { AuditLog } from '../identity/audit-log.js'
import type { Author } from '../identity/users.js'
import type { Alarm } from '../model/alarm.js'
import { AppError } from '../model/app-error.js'
import { type AlarmEdit, type AlarmFilter, type AlarmQuery, AlarmRecords } from '../storage/sql/alarm-records.js'
import { UserRecords } from '../storage/sql/user-records.js'
import { type AlarmJson, toAlarmJson } from '../web/alarm-json.js'
import { Cursors, type Page } from '../web/cursor.js'
import type {
  AlarmChangesIn,
  AlarmFilterIn,
  AlarmQueryIn,
  AlarmSummaryJson,
  AlarmSummaryQueryIn,
} from './alarm.schema.js'
import { alarmCsvOf } from './alarm-csv.js'
import { AlarmNews } from './alarm-news.js'

/** Alarms that a file's stream holds at once, and that are read in one go. */
export const STREAM_PAGE = 500

const key = z.tuple([z.int(), z.string().max(64)])
/** A cursor goes on in the order that it was given out in, and in no other. */
const CURSORS = {
  '-time': new Cursors('alarms newest first', key),
  time: new Cursors('alarms oldest first', key),
}

type Rows = Omit<AlarmQuery, 'limit' | 'after'>

/** What people see of alarms, and what they make of them. */
@Injectable()
export class AlarmsService {
  private readonly logger = new Logger('alarms')

  constructor(
    private readonly records: AlarmRecords,
    private readonly users: UserRecords,
    private readonly news: AlarmNews,
    private readonly audit: AuditLog,
  ) {}

  /** @throws AppError `invalid_cursor` */
  async page(query: AlarmQueryIn): Promise<Page<AlarmJson>> {
    const cursors = CURSORS[query.sort]
    const last = cursors.decode(query.cursor)
    const after = last === undefined ? {} : { after: { timeMs: last[0], id: last[1] } }
    const rows = await this.records.list({ ...rowsOf(query), ...after, limit: query.limit + 1 })
    return cursors.page(rows, query.limit, ({ timeMs, id }) => [timeMs, id], toAlarmJson)
  }

  /**
   * All rows as CSV. The first page is read before this resolves, so that a store that is away is still an answer; an error after
   * that destroys the stream. Pages are read as the stream is read, one ahead, each by a query of its own.
   */
  async openCsv(query: AlarmQueryIn): Promise<Readable> {
    const rows = rowsOf(query)
    const first = await this.records.list({ ...rows, limit: STREAM_PAGE })
    return Readable.from(alarmCsvOf(this.pages(rows, first)), { objectMode: false })
  }

  /** Days in their order; anything else the most first, ties by key. */
  async summarize({ by, ...filter }: AlarmSummaryQueryIn): Promise<AlarmSummaryJson> {
    const counts = await this.records.summarize(filterOf(filter), by)
    const items = counts.map(({ key, count }) => ({ key, count }))
    // Not as texts: the clock of a unit may be beyond four digits of years, and then days begin with a sign.
    if (by === 'day') items.sort((a, b) => Date.parse(a.key) - Date.parse(b.key))
    else items.sort((a, b) => b.count - a.count || (a.key < b.key ? -1 : 1))
    return { items }
  }

  /** @throws AppError `not_found` */
  async get(id: string): Promise<AlarmJson> {
    return toAlarmJson(await this.find(id))
  }

  /**
   * Changes what is given. Who did it is kept in the alarm's history and in the audit log; a change of nothing is not a change.
   * @throws AppError `not_found` | `invalid_request` when the assignee is nobody, or disabled
   */
  async change(id: string, changes: AlarmChangesIn, { caller, address }: Author): Promise<AlarmJson> {
    const before = await this.find(id)
    const edit = editOf(changes)
    const changed = Object.entries(edit).filter(([field, value]) => before[field as keyof AlarmEdit] !== value)
    if (changed.length === 0) return toAlarmJson(before)
    if (edit.assignee != null && edit.assignee !== before.assignee) await this.assertUser(edit.assignee)
    const fact = { by: caller.username, action: 'alarm.update', target: id, detail: detailOf(changed), address }
    const after = await this.audit.change(
      ({ alarms }) => alarms.edit(id, edit, caller.username, Date.now()),
      (edited) => edited && fact,
    )
    if (after === undefined) throw new AppError('not_found')
    this.news.publish(after)
    return toAlarmJson(after)
  }

  private async find(id: string): Promise<Alarm> {
    const alarm = await this.records.find(id)
    if (alarm === undefined) throw new AppError('not_found')
    return alarm
  }

  private async assertUser(username: string): Promise<void> {
    const user = await this.users.find(username)
    if (user !== undefined && !user.disabled) return
    const message = `must be the name of a user${user === undefined ? '' : ' who is not disabled'}`
    const errors = [{ path: 'assignee', code: 'unknown_user' as const, message }]
    throw new AppError('invalid_request', `assignee: ${message}`, { errors })
  }

  private async *pages(rows: Rows, first: Alarm[]): AsyncGenerator<Alarm[]> {
    let page = first
    for (;;) {
      yield page
      const last = page.at(-1)
      if (last === undefined || page.length < STREAM_PAGE) return
      page = await this.next(rows, last)
    }
  }

  private async next(rows: Rows, { timeMs, id }: Alarm): Promise<Alarm[]> {
    try {
      return await this.records.list({ ...rows, limit: STREAM_PAGE, after: { timeMs, id } })
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.logger.error({ event: 'alarm_stream_broken', reason })
      throw error
    }
  }
}

function rowsOf({ sort, limit: _, cursor: __, ...filter }: AlarmQueryIn): Rows {
  return { ...filterOf(filter), order: sort === 'time' ? 'oldest' : 'newest' }
}

function filterOf({ deviceId, type, status, assignee, from, to, bbox, hasVideo, text }: AlarmFilterIn): AlarmFilter {
  return definedOf({
    deviceIds: deviceId,
    types: type,
    statuses: status,
    assignees: assignee,
    fromMs: from,
    toMs: to,
    box: bbox,
    hasVideo,
    text,
  })
}

function editOf({ status, note, assignee }: AlarmChangesIn): AlarmEdit {
  return definedOf({ status, note: note === '' ? null : note, assignee })
}

/** Without the text of a note: the alarm's own history has it, and it goes with the alarm when its device is erased. */
function detailOf(changed: ReadonlyArray<[string, unknown]>): Record<string, unknown> {
  return Object.fromEntries(
    changed.map(([field, value]) => [field, field === 'note' && value !== null ? '(not shown)' : value]),
  )
}

/** What is undefined is absent. */
function definedOf<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}

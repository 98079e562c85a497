import type { EntityManager } from 'typeorm'
import type { Alarm } from '../../model/alarm.js'
import type { DeviceId } from '../../model/device-id.js'
import { findVideos, nameKey, replaceWords } from './alarm-raising.js'
import type { AlarmEdit } from './alarm-records.js'
import { ALARM_COLUMNS, type AlarmRow, loadAlarms } from './alarm-rows.js'
import { alarmSearchText } from './alarm-words.js'
import { lockClause } from './row-lock.js'
import { insertRows, isOneOf, runSql, sql } from './sql-rows.js'

interface EditedRow extends AlarmRow {
  readonly block: number
  readonly search: string
}

/** Changes of alarms that are there, each in the transaction that it is given. */
export class AlarmEditing {
  constructor(private readonly manager: EntityManager) {}

  async edit(id: string, edit: AlarmEdit, by: string, atMs: number): Promise<Alarm | undefined> {
    const [before] = await this.lock([id])
    if (!before) return undefined
    const { status = before.status, note = before.note, assignee = before.assignee } = edit
    const isSame = status === before.status && note === before.note && assignee === before.assignee
    if (!isSame) {
      const search = await this.searchTextOf(id, note)
      await this.manager.query(
        'UPDATE alarms SET status = ?, note = ?, assignee = ?, search = ?, change_count = ? WHERE id = ?',
        [status, note, assignee, search, before.change_count + 1, id],
      )
      const columns = ['alarm_id', 'position', 'at_ms', 'actor', 'status', 'note', 'assignee']
      const change = [id, before.change_count, atMs, by, status, note, assignee]
      await insertRows(this.manager, 'alarm_changes', columns, [change])
      await replaceWords(this.manager, before, before.search, search)
    }
    const after = isSame ? before : { ...before, status, note, assignee, change_count: before.change_count + 1 }
    const [alarm] = await loadAlarms(this.manager, [after])
    return alarm
  }

  /** Joins the file of that name of these alarms to its video, or parts it. */
  async join(alarmIds: readonly string[], deviceId: DeviceId, fileName: string): Promise<void> {
    const videos = await findVideos(this.manager, [{ deviceId, fileName }])
    const videoId = videos.get(nameKey(deviceId, fileName)) ?? null
    const files = isOneOf('alarm_id', alarmIds)
    await this.manager.query(
      `UPDATE alarm_files SET video_id = ? WHERE device_id = ? AND file_name = ? AND ${files.text}`,
      [videoId, deviceId, fileName, ...files.values],
    )
    const alarms = isOneOf('id', alarmIds)
    await this.manager.query(
      `UPDATE alarms SET has_video =
         (SELECT COUNT(*) > 0 FROM alarm_files f WHERE f.alarm_id = alarms.id AND f.video_id IS NOT NULL)
       WHERE ${alarms.text}`,
      [...alarms.values],
    )
  }

  /** @returns how many; 0: there are none any more */
  async eraseSome(deviceId: DeviceId, most: number): Promise<number> {
    const text = 'SELECT id, block, search FROM alarms WHERE device_id = ? ORDER BY day, id LIMIT ?'
    const rows = await runSql<Pick<EditedRow, 'id' | 'block' | 'search'>>(this.manager, sql(text, deviceId, most))
    if (rows.length === 0) {
      await this.manager.query('DELETE FROM alarm_devices WHERE device_id = ?', [deviceId])
      return 0
    }
    for (const row of rows) await replaceWords(this.manager, row, row.search, '')
    const ids = rows.map(({ id }) => id)
    for (const [table, column] of [
      ['alarm_files', 'alarm_id'],
      ['alarm_changes', 'alarm_id'],
      ['alarms', 'id'],
    ] as const) {
      const { text, values } = isOneOf(column, ids)
      await this.manager.query(`DELETE FROM ${table} WHERE ${text}`, [...values])
    }
    return rows.length
  }

  private lock(ids: readonly string[]): Promise<EditedRow[]> {
    const { text, values } = isOneOf('id', ids)
    const select = `SELECT ${ALARM_COLUMNS.join(', ')}, block, search FROM alarms WHERE ${text}`
    return runSql(this.manager, sql(`${select}${lockClause(this.manager)}`, ...values))
  }

  private async searchTextOf(id: string, note: string | null): Promise<string> {
    const files = await runSql<{ file_name: string }>(
      this.manager,
      sql('SELECT file_name FROM alarm_files WHERE alarm_id = ? ORDER BY position', id),
    )
    return alarmSearchText(
      files.map(({ file_name }) => file_name),
      note,
    )
  }
}

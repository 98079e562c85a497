import type { EntityManager } from 'typeorm'
import type { Alarm } from '../../model/alarm.js'
import type { DeviceId } from '../../model/device-id.js'
import { findVideos, nameKey } from './alarm-look.js'
import type { AlarmEdit } from './alarm-records.js'
import { ALARM_COLUMNS, type AlarmRow, loadAlarms } from './alarm-rows.js'
import { replaceWords } from './alarm-word-index.js'
import { alarmSearchText, indexedWords } from './alarm-words.js'
import type { SqlDialect } from './sql-dialect.js'
import { insertRows, isOneOf, runSql, sql } from './sql-rows.js'

interface EditedRow extends AlarmRow {
  readonly block: number
  readonly search: string
}

type ErasedRow = Pick<EditedRow, 'id' | 'block' | 'search'>

/** Their removal is a few statements; alarms with many words are removed in more steps. */
const MAX_ERASED_WORDS = 4000

/** Changes of alarms that are there, each in the transaction that it is given. */
export class AlarmEditing {
  constructor(
    private readonly manager: EntityManager,
    private readonly dialect: SqlDialect,
  ) {}

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
      await insertRows(this.manager, this.dialect, 'alarm_changes', columns, [change])
      const { block } = before
      await replaceWords(this.manager, this.dialect, [{ id, block, before: before.search, after: search }])
    }
    const after = isSame ? before : { ...before, status, note, assignee, change_count: before.change_count + 1 }
    const [alarm] = await loadAlarms(this.manager, [after])
    return alarm
  }

  /** Joins the file of that name of these alarms to its video, or parts it. */
  async join(alarmIds: readonly string[], deviceId: DeviceId, fileName: string): Promise<void> {
    await this.lock(alarmIds)
    const videos = await findVideos(this.manager, this.dialect, [{ deviceId, fileName }])
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
    // Whoever raises an alarm of the device keeps this row: there is none half-way from here on.
    const device = `SELECT device_id FROM alarm_devices WHERE device_id = ?${this.dialect.lockRows}`
    await runSql(this.manager, sql(device, deviceId))
    const from = this.dialect.rowsBy('alarms', 'a', 'alarms_by_device')
    const select = `SELECT id, block, search FROM ${from} WHERE device_id = ? ORDER BY day, id LIMIT ?`
    const found = await runSql<ErasedRow>(this.manager, sql(`${select}${this.dialect.lockRows}`, deviceId, most))
    if (found.length === 0) {
      await this.manager.query('DELETE FROM alarm_devices WHERE device_id = ?', [deviceId])
      return 0
    }
    const rows = withWordsUpTo(found, MAX_ERASED_WORDS)
    await replaceWords(
      this.manager,
      this.dialect,
      rows.map(({ id, block, search }) => ({ id, block, before: search, after: '' })),
    )
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
    const select = `SELECT ${ALARM_COLUMNS.join(', ')}, block, search FROM alarms WHERE ${text} ORDER BY id`
    return runSql(this.manager, sql(`${select}${this.dialect.lockRows}`, ...values))
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

/** The first of the alarms, one at least, as long as they have no more words than that. */
function withWordsUpTo(rows: readonly ErasedRow[], most: number): readonly ErasedRow[] {
  let words = 0
  const end = rows.findIndex(({ search }, i) => {
    words += indexedWords(search).length
    return i > 0 && words > most
  })
  return end === -1 ? rows : rows.slice(0, end)
}

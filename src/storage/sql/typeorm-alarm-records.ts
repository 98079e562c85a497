import type { EntityManager } from 'typeorm'
import type { Alarm, AlarmReport } from '../../model/alarm.js'
import { AppError } from '../../model/app-error.js'
import type { DeviceId } from '../../model/device-id.js'
import { countAlarmDevices, findRenamedDevices, renameAlarmDevice } from './alarm-devices.js'
import { AlarmEditing } from './alarm-editing.js'
import { AlarmIds } from './alarm-keys.js'
import { AlarmListing } from './alarm-listing.js'
import { AlarmGoneError, AlarmRaising } from './alarm-raising.js'
import {
  type AlarmCount,
  type AlarmEdit,
  type AlarmFilter,
  type AlarmGrouping,
  type AlarmQuery,
  AlarmRecords,
  type NamedFile,
  type RaisedAlarm,
  type UnjoinedStep,
} from './alarm-records.js'
import { ALARM_COLUMNS, type AlarmRow, loadAlarms } from './alarm-rows.js'
import { AlarmSummary } from './alarm-summary.js'
import { dialectOf, type SqlDialect } from './sql-dialect.js'
import { isDuplicateKey, isValueAtFault, storeUnavailable } from './sql-errors.js'
import { isOneOf, runSql, sql } from './sql-rows.js'
import type { SqlSource } from './sql-source.js'
import { findUnjoined, findUnjoinedAfter, unjoinedSql } from './unjoined-files.js'

/** Removed or joined at once, so that nobody waits long for the write lock. */
const CHANGED_AT_ONCE = 300
const MAX_ATTEMPTS = 5
/** Looking at more devices than these for new names takes a while, and is not done for every list. */
const MANY_DEVICES = 20_000
const NAMES_STAY_MS = 5000

/** Alarms in the relational database. */
export class TypeormAlarmRecords extends AlarmRecords {
  private readonly dialect: SqlDialect
  private readonly listing: AlarmListing
  private readonly summary: AlarmSummary
  private freshUntilMs = 0
  private countedUntilMs = 0

  constructor(
    private readonly source: SqlSource,
    private readonly ids = new AlarmIds(),
  ) {
    super()
    this.dialect = dialectOf(source)
    this.listing = new AlarmListing(source, this.dialect)
    this.summary = new AlarmSummary(source, this.listing)
  }

  /** The same alarms, read and written in a transaction. */
  within(transaction: SqlSource): TypeormAlarmRecords {
    return new TypeormAlarmRecords(transaction, this.ids)
  }

  async raise(reports: readonly AlarmReport[], maxFiles: number): Promise<RaisedAlarm[]> {
    if (reports.length === 0) return []
    try {
      return await this.raiseAtOnce(reports, maxFiles)
    } catch (cause) {
      throw isValueAtFault(cause) ? new AppError('invalid_request', 'The alarm cannot be stored', { cause }) : cause
    }
  }

  async find(id: string): Promise<Alarm | undefined> {
    const [alarm] = await this.findAll([id])
    return alarm
  }

  async list(query: AlarmQuery): Promise<Alarm[]> {
    await this.refreshWords(query)
    return this.listing.list(query)
  }

  async summarize(filter: AlarmFilter, by: AlarmGrouping): Promise<AlarmCount[]> {
    await this.refreshWords(filter)
    return this.summary.summarize(filter, by)
  }

  async edit(id: string, edit: AlarmEdit, by: string, atMs: number): Promise<Alarm | undefined> {
    return this.source.transaction((manager) => new AlarmEditing(manager, this.dialect).edit(id, edit, by, atMs))
  }

  async relink(deviceId: DeviceId, fileName: string): Promise<string[]> {
    // Outside of a transaction: of most files no alarm needs anything, and nobody is to wait for that.
    const alarmIds = await this.findUnjoinedAlarms(deviceId, fileName)
    if (alarmIds.length === 0) return []
    await this.source.transaction((manager) =>
      new AlarmEditing(manager, this.dialect).join(alarmIds, deviceId, fileName),
    )
    return alarmIds
  }

  findUnjoined(files: readonly NamedFile[]): Promise<NamedFile[]> {
    return findUnjoined(this.source, this.dialect, files)
  }

  findUnjoinedAfter(after: string | undefined): Promise<UnjoinedStep> {
    return findUnjoinedAfter(this.source, this.dialect, after)
  }

  async eraseDevice(deviceId: DeviceId): Promise<number> {
    for (let erased = 0; ; ) {
      const step = await this.source.transaction((manager) =>
        new AlarmEditing(manager, this.dialect).eraseSome(deviceId, CHANGED_AT_ONCE),
      )
      if (step === 0) return erased
      erased += step
    }
  }

  /** Another node may store the same alarm between the look and the insertion, or remove it: the next look finds it so. */
  private async raiseAtOnce(reports: readonly AlarmReport[], maxFiles: number): Promise<RaisedAlarm[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.source.transaction((manager: EntityManager) =>
          new AlarmRaising(manager, this.dialect, this.ids, maxFiles).raise(reports),
        )
      } catch (error) {
        if (!isDuplicateKey(error) && !(error instanceof AlarmGoneError)) throw error
        if (attempt === MAX_ATTEMPTS) throw storeUnavailable('the same alarms are being changed all the time', error)
      }
    }
  }

  private async findAll(ids: readonly string[]): Promise<Alarm[]> {
    if (ids.length === 0) return []
    const { text, values } = isOneOf('id', ids)
    const select = `SELECT ${ALARM_COLUMNS.join(', ')} FROM alarms WHERE ${text}`
    return loadAlarms(this.source, await runSql<AlarmRow>(this.source, sql(select, ...values)))
  }

  private async findUnjoinedAlarms(deviceId: DeviceId, fileName: string): Promise<string[]> {
    const file = sql('f.device_id = ? AND f.file_name = ?', deviceId, fileName)
    const { text, values } = unjoinedSql(this.dialect, 'f.alarm_id', 'alarm_files_by_name', file)
    const select = sql(`${text} ORDER BY f.alarm_id LIMIT ?`, ...values, CHANGED_AT_ONCE)
    return (await runSql<{ alarm_id: string }>(this.source, select)).map(({ alarm_id }) => alarm_id)
  }

  /**
   * Brings the words of devices up to their names and plates as they are now; with so many devices that looking for it takes a
   * while, as they were a moment ago.
   */
  private async refreshWords({ text = '' }: AlarmFilter): Promise<void> {
    if (text.trim() === '' || performance.now() < this.freshUntilMs) return
    for (const device of await findRenamedDevices(this.source)) await renameAlarmDevice(this.source, device)
    if (performance.now() < this.countedUntilMs) return
    this.countedUntilMs = performance.now() + NAMES_STAY_MS
    const devices = await countAlarmDevices(this.source)
    this.freshUntilMs = devices > MANY_DEVICES ? performance.now() + NAMES_STAY_MS : 0
  }
}

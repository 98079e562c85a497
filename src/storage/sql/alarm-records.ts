import type { Alarm, AlarmReport, AlarmStatus, AlarmType } from '../../model/alarm.js'
import type { DeviceId } from '../../model/device-id.js'
import type { BoundingBox } from '../../model/position.js'

/** Filters narrow each other; an empty list among them lets nothing through. */
export interface AlarmFilter {
  readonly deviceIds?: readonly DeviceId[]
  readonly types?: readonly AlarmType[]
  readonly statuses?: readonly AlarmStatus[]
  readonly assignees?: readonly string[]
  /** Unit's clock, inclusive. */
  readonly fromMs?: number
  /** Unit's clock, exclusive. */
  readonly toMs?: number
  /** Alarms without a position lie in no box. */
  readonly box?: BoundingBox
  /** Whether one of its files is uploaded. */
  readonly hasVideo?: boolean
  /**
   * Case-folded beginnings of words in device id, name, plate, file name and note; all words must match. Blank: no filter. Name
   * and plate are those that the device has now, or with over 20,000 devices had up to 5 seconds ago.
   */
  readonly text?: string
}

export interface AlarmQuery extends AlarmFilter {
  /** By the unit's time, ties by id in the same direction. */
  readonly order: 'newest' | 'oldest'
  readonly limit: number
  /** Exclusive: continue behind this one in the order. */
  readonly after?: { readonly timeMs: number; readonly id: string }
}

export const ALARM_GROUPINGS = ['type', 'device', 'day', 'status'] as const
export type AlarmGrouping = (typeof ALARM_GROUPINGS)[number]

export interface AlarmCount {
  /** The type, device id, UTC day (`2026-11-22`) or status. */
  readonly key: string
  readonly count: number
}

/** What became of a report. */
export interface RaisedAlarm {
  readonly alarm: Alarm
  /** False: the alarm was there. */
  readonly isNew: boolean
  /** New, or names of files were added. */
  readonly isChanged: boolean
}

/** A file of a device's alarms, by its name. */
export interface NamedFile {
  readonly deviceId: DeviceId
  readonly fileName: string
}

export interface UnjoinedStep {
  readonly files: readonly NamedFile[]
  /** Where the next look begins; undefined: this was the last. */
  readonly next: string | undefined
}

/** What a user changes; what is absent stays. */
export interface AlarmEdit {
  readonly status?: AlarmStatus
  readonly note?: string | null
  readonly assignee?: string | null
}

/** Alarms and the files that they name. Files are joined to videos by device and name, whichever comes first. */
export abstract class AlarmRecords {
  /**
   * Stores what is new and adds names of files to what is not, all in one transaction. Reports may be of any devices and may repeat each other.
   * @param maxFiles an alarm takes no more names than this; further ones are left out
   * @returns one for each report, in order
   * @throws AppError `invalid_request` when one of the reports, whichever, can never be stored: none was. Anything else: the store failed
   */
  abstract raise(reports: readonly AlarmReport[], maxFiles: number): Promise<RaisedAlarm[]>
  abstract find(id: string): Promise<Alarm | undefined>
  abstract list(query: AlarmQuery): Promise<Alarm[]>
  /** Counts in no given order; none for what has no alarms. */
  abstract summarize(filter: AlarmFilter, by: AlarmGrouping): Promise<AlarmCount[]>
  /**
   * Changes the alarm and writes it into its history; a change of nothing writes nothing.
   * @returns the alarm after it, or undefined when there is none
   */
  abstract edit(id: string, edit: AlarmEdit, by: string, atMs: number): Promise<Alarm | undefined>
  /**
   * Joins the device's alarms that name the file to its video as the records of videos have it now, or parts them when there is
   * none. Repeating it is safe; call it after a video was shown, and after it was removed, until it changes nothing.
   * @returns ids of the alarms that changed, some hundred at most
   */
  abstract relink(deviceId: DeviceId, fileName: string): Promise<string[]>
  /** Which of the files some alarm has joined otherwise than the records of videos have it now, each once. */
  abstract findUnjoined(files: readonly NamedFile[]): Promise<NamedFile[]>
  /**
   * Looks for such files from alarm to alarm, some thousand files at a time.
   * @param after `next` of the look before; undefined: from the beginning
   */
  abstract findUnjoinedAfter(after: string | undefined): Promise<UnjoinedStep>
  /** Removes the alarms of a device, in steps. @returns how many */
  abstract eraseDevice(deviceId: DeviceId): Promise<number>
}

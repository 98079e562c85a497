import type { AlarmRecords } from './alarm-records.js'
import type { AuditRecords } from './audit-records.js'
import type { CommandRecords } from './command-records.js'
import type { DeviceRecords } from './device-records.js'
import type { ErasureRecords } from './erasure-records.js'
import type { UserRecords } from './user-records.js'
import type { VideoRecords } from './video-records.js'

/** What can be written together. */
export interface JoinedRecords {
  readonly alarms: AlarmRecords
  readonly audit: AuditRecords
  readonly commands: CommandRecords
  readonly devices: DeviceRecords
  readonly erasures: ErasureRecords
  readonly users: UserRecords
  readonly videos: VideoRecords
}

/** Runs a write by records of its own choice, such as those of a transaction that also writes something else. */
export type Through<Records, Done> = (write: (records: Records) => Promise<Done>) => Promise<Done>

/** The relational database as a whole. */
export abstract class SqlStore {
  /** Reads and begins a write. @throws AppError `store_unavailable` with the reason */
  abstract checkHealth(): Promise<void>
  /**
   * Runs writes to several records as one: all of them are kept once this resolves, none when it rejects, also in a crash.
   * @param work what is done by these records is one; all others wait for it to write, so it does nothing else. One at a time: it
   * awaits each call before the next. Its error undoes everything and is thrown on. On a server it may be run again from its beginning
   * @throws AppError `store_unavailable` | `disk_full` | `overloaded`: nothing was kept; only where a server was asked to commit and its
   * answer was lost, as the message says, all of it may be
   */
  abstract together<Done>(work: (records: JoinedRecords) => Promise<Done>): Promise<Done>
  /**
   * Copies an embedded database, consistently, while it is in use.
   * @param file the copy; one that exists is replaced when the new one is whole
   * @throws AppError `disk_full` | `store_unavailable` | `internal`, in words, for a database on a server
   */
  abstract backupTo(file: string): Promise<void>
  /** Finishes what is under way and closes. */
  abstract close(): Promise<void>
}

/** The relational database as a whole. */
export abstract class SqlStore {
  /** Reads and begins a write. @throws AppError `store_unavailable` with the reason */
  abstract checkHealth(): Promise<void>
  /**
   * Copies an embedded database, consistently, while it is in use.
   * @param file the copy; one that exists is replaced when the new one is whole
   * @throws AppError `disk_full` | `store_unavailable`
   */
  abstract backupTo(file: string): Promise<void>
  /** Finishes what is under way and closes. */
  abstract close(): Promise<void>
}

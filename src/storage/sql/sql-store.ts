/** The relational database as a whole. */
export abstract class SqlStore {
  /** @throws AppError `store_unavailable` with the reason */
  abstract checkHealth(): Promise<void>
}

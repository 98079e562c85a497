import { SqliteConnection } from './sqlite-connection.js'
import { serveRequests } from './sqlite-worker-host.js'

/** A thread of its own, so that neither appends nor reads wait for a copy that may take minutes. */
export class SqliteBackup {
  /** Writes what is committed now to a new file; what is committed meanwhile is not in it. */
  copy({ from, to }: { readonly from: string; readonly to: string }): void {
    const connection = new SqliteConnection(from)
    try {
      connection.prepareWrite('VACUUM INTO ?').run([to])
    } finally {
      connection.close()
    }
  }
}

serveRequests(() => new SqliteBackup())

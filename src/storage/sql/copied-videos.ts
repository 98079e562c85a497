import type { DeviceId } from '../../model/device-id.js'
import { SqliteConnection } from '../sqlite-connection.js'

const READ_AT_ONCE = 1000

/** What the copy of a database says of a shown video. */
export interface CopiedVideo {
  readonly id: string
  readonly deviceId: DeviceId
  readonly fileName: string
  readonly bytes: number
  /** Lower-case hex. */
  readonly sha256: string
  readonly uploadedAtMs: number
  readonly hasThumbnail: boolean
  readonly screenshots: number
}

/** The videos in a copy of the relational database, which nobody else uses. */
export class CopiedVideos {
  private constructor(private readonly connection: SqliteConnection) {}

  /** @returns undefined when the copy is of a time before there were videos */
  static open(file: string): CopiedVideos | undefined {
    const connection = new SqliteConnection(file)
    if (hasTable(connection, 'videos')) return new CopiedVideos(connection)
    connection.close()
    return undefined
  }

  /** Shown ones, by id. */
  *list(): Generator<CopiedVideo> {
    const query = this.connection.prepareQuery(
      `SELECT id, device_id, file_name, bytes, sha256, uploaded_at, has_thumbnail, screenshots FROM videos
       WHERE listed_at IS NOT NULL AND id > ? ORDER BY id LIMIT ?`,
    )
    for (let last = ''; ; ) {
      const rows = query.all([last, READ_AT_ONCE])
      if (rows.length === 0) return
      for (const [id, deviceId, fileName, bytes, sha256, uploadedAt, hasThumbnail, screenshots] of rows) {
        last = String(id)
        yield {
          id: last,
          deviceId: String(deviceId),
          fileName: String(fileName),
          bytes: Number(bytes),
          sha256: String(sha256),
          uploadedAtMs: Date.parse(`${String(uploadedAt).replace(' ', 'T')}Z`),
          hasThumbnail: hasThumbnail === 1,
          screenshots: Number(screenshots),
        }
      }
    }
  }

  /** As a removal that a crash left half-way: whoever opens the copy finishes it. */
  hide(id: string): void {
    this.connection.prepareWrite('UPDATE videos SET listed_at = NULL WHERE id = ?').run([id])
  }

  /** Units begin these again: their bytes are not in the copy. */
  forgetUploads(): void {
    this.connection.exec('DELETE FROM uploads')
    // One that an older version left has none.
    if (hasTable(this.connection, 'direct_uploads')) this.connection.exec('DELETE FROM direct_uploads')
  }

  close(): void {
    this.connection.close()
  }
}

function hasTable(connection: SqliteConnection, name: string): boolean {
  return (
    connection.prepareQuery("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?").get([name]) !== undefined
  )
}

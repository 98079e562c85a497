import type { DataSource } from 'typeorm'
import type { DeviceId } from '../../model/device-id.js'
import { screenshotKeyOf, thumbnailKeyOf } from '../../model/video-keys.js'
import { VideoEntity } from '../sql/entities/video-entity.js'
import { type CopiedRow, type CopiedTable, toCopiedTable } from './copied-table.js'
import { TableRows } from './table-rows.js'

/** What the database says of a video whose objects are copied. */
export interface ListedVideo {
  readonly id: string
  readonly deviceId: DeviceId
  readonly fileName: string
  readonly bytes: number
  /** Lower-case hex. */
  readonly sha256: string
  /** False: a reservation that a crash left; its object, if there is one, may be another than it says. */
  readonly isShown: boolean
  /** Keys of the pictures that were made of it. */
  readonly pictures: readonly string[]
}

/** The videos in a relational database, by id; not those whose removal is under way, since their objects are to go. */
export class ListedVideos {
  private readonly rows: TableRows
  private readonly table: CopiedTable

  constructor(dataSource: DataSource) {
    this.table = toCopiedTable(dataSource.getMetadata(VideoEntity))
    this.rows = new TableRows(dataSource, this.table)
  }

  /** How many there are at most, and their bytes. */
  async count(): Promise<number> {
    return this.rows.count()
  }

  async *list(): AsyncGenerator<ListedVideo> {
    for (let last: CopiedRow | undefined; ; ) {
      const rows = await this.rows.listAfter(last)
      last = rows.at(-1)
      if (last === undefined) return
      for (const row of rows) {
        const video = this.toVideo(row)
        if (video) yield video
      }
    }
  }

  private toVideo(row: CopiedRow): ListedVideo | undefined {
    const value = (column: string) => row[this.table.columns.findIndex(({ name }) => name === column)] ?? null
    const isShown = value('listed_at') !== null
    if (!isShown && value('uploaded_at') !== null) return undefined
    const id = String(value('id'))
    const shots = Array.from({ length: Number(value('screenshots')) }, (_, index) => screenshotKeyOf(id, index + 1))
    return {
      id,
      deviceId: String(value('device_id')),
      fileName: String(value('file_name')),
      bytes: Number(value('bytes')),
      sha256: String(value('sha256')),
      isShown,
      pictures: value('has_thumbnail') === 1 ? [thumbnailKeyOf(id), ...shots] : shots,
    }
  }
}

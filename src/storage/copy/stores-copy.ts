import { listCopiedTables } from './copied-table.js'
import type { CopyPart, CopyProgress, PartExtent, PartReport } from './copy-part.js'
import type { CopySide, CopyStoreName } from './copy-side.js'
import { ListedVideos } from './listed-videos.js'
import { ObjectCopy } from './object-copy.js'
import { PositionCopy } from './position-copy.js'
import { QuarantineCopy } from './quarantine-copy.js'
import { TableCopy } from './table-copy.js'
import { TableRows } from './table-rows.js'
import { assertListed } from './unlisted-videos.js'

/**
 * Uploads under way are bytes in the object store, and no port reads them: where the objects move, these stay behind, and units begin
 * them again, as after a backup was put back.
 */
export const TABLES_OF_UPLOADS: readonly string[] = ['uploads', 'direct_uploads']

/** What is to be copied, and where. */
export interface CopyPlan {
  readonly source: CopySide
  readonly target: CopySide
  /** Where the relational part is when it is not copied itself: it names the videos whose objects are. */
  readonly inUse: CopySide
  /** Whether the source has a relational part of its own beside the one in use. */
  readonly hasOwnSql: boolean
  /** At least one. */
  readonly stores: readonly CopyStoreName[]
}

/** How much of a part there is. */
export interface PartLook extends PartExtent {
  readonly name: string
  readonly unit: string
}

/** Rows that stay where they are. */
export interface LeftRows {
  readonly table: string
  readonly rows: number
}

/**
 * Copies stores from one side to the other. Nothing is kept of how far it came: what is in the target says it. So a copy that ended at
 * any point goes on where it stopped when it is begun again, and changes nothing once all is there. Neither side may be used by a
 * server meanwhile.
 */
export class StoresCopy {
  private constructor(
    private readonly parts: readonly CopyPart[],
    readonly left: readonly LeftRows[],
    private readonly sides: readonly CopySide[],
    private readonly progress: CopyProgress,
  ) {}

  /**
   * Opens both sides, their schemas brought up to date as at a start of the server.
   * @throws StoreOpenError
   * @throws UnlistedVideoError objects are to be copied by tables that do not have all videos of the source
   */
  static async open(
    { source, target, inUse, hasOwnSql, stores }: CopyPlan,
    progress: CopyProgress,
  ): Promise<StoresCopy> {
    const sides = [source, target, inUse]
    const parts: CopyPart[] = []
    const left: LeftRows[] = []
    try {
      const sourceSql = stores.includes('sql') ? await source.sql() : undefined
      if (sourceSql) {
        const targetSql = await target.sql()
        for (const table of await listCopiedTables(sourceSql)) {
          const stays = stores.includes('objects') && TABLES_OF_UPLOADS.includes(table.name)
          if (stays) left.push({ table: table.name, rows: await new TableRows(sourceSql, table).count() })
          else parts.push(new TableCopy(table, sourceSql, targetSql))
        }
      }
      if (stores.includes('positions')) {
        parts.push(new PositionCopy(await source.positions(), await target.positions()))
        parts.push(new QuarantineCopy(await source.quarantine(), await target.quarantine()))
      }
      if (stores.includes('objects')) {
        const listing = sourceSql ?? (await inUse.sql())
        const blobs = await source.blobs()
        if (sourceSql === undefined && hasOwnSql)
          await assertListed(new ListedVideos(await source.sql()), listing, blobs)
        parts.push(new ObjectCopy(new ListedVideos(listing), blobs, await target.blobs()))
      }
      return new StoresCopy(parts, left, sides, progress)
    } catch (error) {
      await closeAll(sides)
      throw error
    }
  }

  /**
   * Looks at what there is on both sides, and writes nothing.
   * @throws ForeignDataError
   */
  async look(): Promise<PartLook[]> {
    const looks: PartLook[] = []
    for (const part of this.parts) looks.push({ name: part.name, unit: part.unit, ...(await part.look(this.progress)) })
    return looks
  }

  /** Copies what is missing; after {@link look}. */
  async copy(): Promise<void> {
    for (const part of this.parts) await part.copy(this.progress)
  }

  /** Compares everything. */
  async verify(): Promise<PartReport[]> {
    const reports: PartReport[] = []
    for (const part of this.parts) reports.push(await part.verify(this.progress))
    return reports
  }

  async close(): Promise<void> {
    await closeAll(this.sides)
  }
}

async function closeAll(sides: readonly CopySide[]): Promise<void> {
  await Promise.all(sides.map((side) => side.close()))
}

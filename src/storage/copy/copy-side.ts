import type { DataSource } from 'typeorm'
import type { BlobStore } from '../blobs/blob-store.js'
import type { PositionStore } from '../positions/position-store.js'
import type { QuarantineStore } from '../quarantine/quarantine-store.js'

/** The two places that stores are in. */
export const COPY_SIDES = ['embedded', 'servers'] as const
export type CopySideName = (typeof COPY_SIDES)[number]

/** What can be copied by itself, as a variable of its own names its server. */
export const COPY_STORES = ['sql', 'positions', 'objects'] as const
export type CopyStoreName = (typeof COPY_STORES)[number]

/** Opens the stores of one side as they are asked for, each at most once; all of them close together. */
export abstract class CopySide {
  private readonly opened: (() => Promise<void>)[] = []

  /** @throws StoreOpenError */
  async sql(): Promise<DataSource> {
    const dataSource = await this.openSql()
    this.opened.push(() => dataSource.destroy())
    return dataSource
  }

  /** @throws StoreOpenError */
  positions(): Promise<PositionStore> {
    return this.keep(this.openPositions())
  }

  /** @throws StoreOpenError */
  quarantine(): Promise<QuarantineStore> {
    return this.keep(this.openQuarantine())
  }

  /** @throws StoreOpenError */
  blobs(): Promise<BlobStore> {
    return this.keep(this.openBlobs())
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.opened.splice(0).map((close) => close()))
  }

  protected abstract openSql(): Promise<DataSource>
  protected abstract openPositions(): Promise<PositionStore>
  protected abstract openQuarantine(): Promise<QuarantineStore>
  protected abstract openBlobs(): Promise<BlobStore>

  private async keep<Store extends { close(): Promise<void> }>(opening: Promise<Store>): Promise<Store> {
    const store = await opening
    this.opened.push(() => store.close())
    return store
  }
}

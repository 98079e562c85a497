import { existsSync } from 'node:fs'
import path from 'node:path'
import type { DataSource } from 'typeorm'
import type { BlobStore } from '../blobs/blob-store.js'
import { openDirectoryBlobs } from '../blobs/directory-blob-store.js'
import type { PositionStore } from '../positions/position-store.js'
import { openSqlitePositions } from '../positions/sqlite-position-store.js'
import type { QuarantineStore } from '../quarantine/quarantine-store.js'
import { openSqliteQuarantine } from '../quarantine/sqlite-quarantine-store.js'
import { SQL_FILE } from '../sql/open-sqlite-records.js'
import { openSqliteDataSource } from '../sql/sqlite-data-source.js'
import { StoreOpenError } from '../store-open-error.js'
import { CopySide } from './copy-side.js'

/** Nobody waits for an answer; a large table takes its time to be counted. */
const PATIENCE_MS = 600_000

/** The embedded stores of a directory. */
export class EmbeddedSide extends CopySide {
  /** @param directory DATA_DIR, absolute, held by this process */
  constructor(private readonly directory: string) {
    super()
  }

  protected override openSql(): Promise<DataSource> {
    const limits = { answerMs: PATIENCE_MS, lockWaitMs: PATIENCE_MS }
    return openSqliteDataSource({ file: path.join(this.directory, SQL_FILE), limits })
  }

  protected override openPositions(): Promise<PositionStore> {
    return openSqlitePositions({ directory: this.directory })
  }

  protected override openQuarantine(): Promise<QuarantineStore> {
    return openSqliteQuarantine({ directory: this.directory })
  }

  protected override openBlobs(): Promise<BlobStore> {
    return openDirectoryBlobs({ directory: this.directory })
  }
}

/** @throws StoreOpenError there is nothing that could be copied */
export function assertEmbeddedStores(directory: string): void {
  if (!existsSync(path.join(directory, SQL_FILE)))
    throw new StoreOpenError(directory, 'there are no embedded stores in it')
}

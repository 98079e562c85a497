import { workerData } from 'node:worker_threads'
import type { DeviceId } from '../../model/device-id.js'
import { closeWriting, openForWriting, type SqlitePragmas, upgradeSchema } from '../sqlite-connection.js'
import { serveRequests } from '../sqlite-worker-host.js'
import type { FrameBatch } from './frame-batch.js'
import { SqliteFrameAppender } from './sqlite-frame-appender.js'
import { SqliteFrameLinks } from './sqlite-frame-links.js'
import {
  type FrameRemovalResult,
  type FrameRemovalStep,
  SqliteFrameRemover,
  type TrimResult,
} from './sqlite-frame-remover.js'
import { FRAMES_SCHEMA } from './sqlite-frame-schema.js'

/** What the thread is started with. */
export interface FrameWriterOptions {
  readonly file: string
  readonly mostBytes: number
}

/** Holds the last pages of the index of some 5,000 devices. */
const CACHE_KIB = 32_768
/** 16 MiB of log: a page of the index that many batches touch is written back once for all of them. */
const CHECKPOINT_PAGES = 4000

/** The one thread that writes frames. */
export class SqliteFrameWriter {
  private readonly connection
  private readonly appender
  private readonly remover
  private readonly updateHealth
  /** Those that nobody was told of, since what came after them failed. */
  private givenWay = 0

  constructor({ file, mostBytes }: FrameWriterOptions) {
    this.connection = openForWriting({ file, cacheKiB: CACHE_KIB, checkpointPages: CHECKPOINT_PAGES })
    upgradeSchema(this.connection, FRAMES_SCHEMA)
    const links = new SqliteFrameLinks(this.connection)
    this.appender = new SqliteFrameAppender(this.connection, links)
    this.remover = new SqliteFrameRemover(this.connection, links, mostBytes)
    this.updateHealth = this.connection.prepareWrite('REPLACE INTO health(id, checked) VALUES (1, ?)')
  }

  /** @returns how many older frames gave way */
  keep(batch: FrameBatch): number {
    // Before, so that a batch that is kept is never told to have failed.
    this.givenWay += this.remover.trim().removed
    this.appender.keep(batch)
    const { givenWay } = this
    this.givenWay = 0
    return givenWay
  }

  trim(): TrimResult {
    return this.remover.trim()
  }

  shrinkStep(mostBytes: number): TrimResult {
    return this.remover.shrinkStep(mostBytes)
  }

  /** Writes the log back into the file as far as nobody reads what it was before: only then the file shrinks. */
  writeBack(): void {
    this.connection.exec('PRAGMA wal_checkpoint(PASSIVE)')
  }

  eraseStep(deviceId: DeviceId): boolean {
    return this.remover.eraseStep(deviceId)
  }

  removeStep(step: FrameRemovalStep): FrameRemovalResult {
    return this.remover.removeStep(step)
  }

  giveBackStep(): boolean {
    return this.remover.giveBackStep()
  }

  /** Proves that a commit works. */
  probe(): void {
    this.connection.transact(() => this.updateHealth.run([Date.now()]))
  }

  readPragmas(): SqlitePragmas {
    return this.connection.readPragmas()
  }

  close(): void {
    closeWriting(this.connection)
  }
}

serveRequests(() => new SqliteFrameWriter(workerData as FrameWriterOptions))

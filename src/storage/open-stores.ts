import { Injectable, type OnApplicationShutdown } from '@nestjs/common'
import { AppConfig } from '../config/app-config.js'
import { DataDirectoryLock, prepareDataDirectory } from './data-directory.js'

interface Closable {
  close(): Promise<void>
}

/**
 * The embedded stores that were opened: all of them close together, when everything that uses them has stopped, or at once when
 * one of them cannot be opened, so that no thread keeps a failed start alive.
 */
@Injectable()
export class OpenStores implements OnApplicationShutdown {
  /** The data directory, which no other server uses while these are open. */
  readonly directory: string
  private readonly lock: DataDirectoryLock
  private readonly opening: Promise<Closable>[] = []

  /** @throws DataDirectoryError | StoreOpenError */
  constructor(config: AppConfig) {
    this.directory = prepareDataDirectory(config.DATA_DIR)
    this.lock = DataDirectoryLock.acquire(this.directory)
  }

  /** @param open opens a store in the directory */
  async open<Store>(
    open: (options: { readonly directory: string }) => Promise<Store>,
    closableOf: (store: Store) => Closable,
  ): Promise<Store> {
    const opening = open({ directory: this.directory })
    this.opening.push(opening.then(closableOf))
    try {
      return await opening
    } catch (error) {
      await this.close()
      throw error
    }
  }

  async onApplicationShutdown(): Promise<void> {
    await this.close()
  }

  private async close(): Promise<void> {
    const opened = await Promise.allSettled(this.opening)
    await Promise.allSettled(opened.map((store) => (store.status === 'fulfilled' ? store.value.close() : undefined)))
    this.lock.release()
  }
}

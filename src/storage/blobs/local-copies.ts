import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { type Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { stopping, translated } from './blob-errors.js'
import type { LocalFile } from './blob-store.js'
import { createFile, makeDirectory } from './owned-files.js'

/** Name of the directory of the copies in the data directory. */
export const COPIES_DIRECTORY = 'blob-copies'
/** More would fill a disk that was not meant to hold videos; who comes later waits. */
const AT_ONCE = 2
const LOOK_EVERY_BYTES = 8_388_608

/** Objects of another machine as files of this one, for tools that read files. Each is gone when it is released, or at the next start. */
export class LocalCopies {
  private readonly directory: string
  private taken = 0
  private readonly waiting: Array<() => void> = []

  /**
   * @param directory an existing one
   * @param assertWritable asked before and while something is written. @throws AppError `disk_full`
   */
  constructor(
    directory: string,
    private readonly assertWritable: () => void = () => undefined,
  ) {
    this.directory = path.join(directory, COPIES_DIRECTORY)
  }

  /** Removes what a killed server left. Before the first copy. */
  async sweep(): Promise<void> {
    await translated(async () => {
      await rm(this.directory, { recursive: true, force: true })
      await makeDirectory(this.directory)
    })
  }

  /**
   * @param open the object's bytes; undefined: there is none
   * @param giveUp ends it while it waits or copies. @throws AppError `store_unavailable` then
   */
  async make(open: () => Promise<Readable | undefined>, giveUp?: AbortSignal): Promise<LocalFile | undefined> {
    await this.enter(giveUp)
    const file = path.join(this.directory, randomBytes(16).toString('hex'))
    let isReleased = false
    const release = async () => {
      if (isReleased) return
      isReleased = true
      this.leave()
      await rm(file, { force: true })
    }
    try {
      this.assertWritable()
      const source = await open()
      if (source) await this.write(source, file, giveUp)
      else await release()
      return source && { path: file, release }
    } catch (error) {
      await release()
      throw giveUp?.aborted ? stopping() : error
    }
  }

  private write(source: Readable, file: string, signal: AbortSignal | undefined): Promise<void> {
    return translated(async () => {
      try {
        const handle = await createFile(file)
        await pipeline(source, this.watch(), handle.createWriteStream(), { signal })
      } catch (error) {
        source.destroy()
        throw error
      }
    })
  }

  private watch(): Transform {
    let sinceLook = 0
    return new Transform({
      transform: (chunk: Buffer, _, done) => {
        sinceLook += chunk.byteLength
        try {
          if (sinceLook >= LOOK_EVERY_BYTES) this.assertWritable()
          sinceLook %= LOOK_EVERY_BYTES
          done(null, chunk)
        } catch (error) {
          done(error as Error)
        }
      },
    })
  }

  private async enter(giveUp: AbortSignal | undefined): Promise<void> {
    if (giveUp?.aborted) throw stopping()
    if (this.taken < AT_ONCE) {
      this.taken++
      return
    }
    await new Promise<void>((resolve, reject) => {
      const quit = () => {
        this.waiting.splice(this.waiting.indexOf(enter), 1)
        reject(stopping())
      }
      const enter = () => {
        giveUp?.removeEventListener('abort', quit)
        resolve()
      }
      this.waiting.push(enter)
      giveUp?.addEventListener('abort', quit, { once: true })
    })
  }

  private leave(): void {
    const next = this.waiting.shift()
    if (next === undefined) this.taken--
    else next()
  }
}

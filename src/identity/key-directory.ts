import { readdir, readFile, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { Logger } from '@nestjs/common'
import type { JWK } from 'jose'
import { formatTime, parseTime } from '../model/time.js'
import { KeyDirectoryError, makeKeyDirectory, wordsOf, writePrivateFile } from './key-file.js'
import { KeySource } from './key-source.js'
import { generateSigningJwk, importSigningKey, type SigningKey } from './signing-key.js'

const KEY_FILE = /^[A-Za-z0-9_-]+\.jwk\.json$/
const READABLE_BY_OTHERS = 0o077
/** A running server signs with the old key until it has seen the new one: longer by far than that takes. */
const LATE_SIGNATURES_MS = 60_000

/**
 * Signing keys in a directory, one file for each (0600), so that whoever adds one cannot undo what another does at the same
 * time. The newest signs. An older one verifies until the last token signed with it has ended; then its file is removed.
 */
export class KeyDirectory extends KeySource {
  private readonly logger = new Logger('keys')
  private readonly imported = new Map<string, SigningKey>()
  /** Files already complained about; each look tries them again, since a permission may be mended. */
  private readonly unusable = new Set<string>()

  /**
   * @param directory made if absent, for its owner only
   * @param longestTokenLifeMs of all kinds of tokens
   */
  constructor(
    private readonly directory: string,
    private readonly longestTokenLifeMs: number,
    private readonly now: () => number = Date.now,
  ) {
    super()
  }

  /**
   * The keys as they are now, newest first; makes the first one. Cheap when nothing has changed.
   * @throws KeyDirectoryError when the directory or, on the first call, a key in it cannot be used
   */
  async load(): Promise<readonly SigningKey[]> {
    const isFirst = this.imported.size === 0
    // Only then: a directory that is gone later (an unmounted disk) must not look like a new one without keys.
    if (isFirst) await makeKeyDirectory(this.directory)
    const files = await this.listFiles()
    for (const file of files.filter((one) => !this.imported.has(one))) await this.read(file, isFirst)
    for (const file of this.imported.keys()) if (!files.includes(file)) this.imported.delete(file)
    if (this.imported.size === 0) await this.add()
    return this.dropEnded()
  }

  /**
   * Adds a key that signs from now on.
   * @returns all keys, newest first
   * @throws KeyDirectoryError
   */
  async rotate(): Promise<readonly SigningKey[]> {
    await this.load()
    await this.add()
    return this.dropEnded()
  }

  private async add(): Promise<void> {
    const newest = this.newestFirst()[0]
    // Later than the key it replaces, even if the clock was set back meanwhile.
    const createdAtMs = Math.max(this.now(), (newest?.createdAtMs ?? 0) + 1)
    const jwk = await generateSigningJwk()
    const file = `${jwk.kid}.jwk.json`
    const text = `${JSON.stringify({ ...jwk, createdAt: formatTime(createdAtMs) }, null, 2)}\n`
    await writePrivateFile(path.join(this.directory, file), text)
    this.imported.set(file, await importSigningKey(jwk, createdAtMs))
  }

  private async dropEnded(): Promise<readonly SigningKey[]> {
    const keys = this.newestFirst()
    const ended = keys.filter((_, index) => {
      const successor = keys[index - 1]
      return (
        successor !== undefined && this.now() > successor.createdAtMs + this.longestTokenLifeMs + LATE_SIGNATURES_MS
      )
    })
    for (const [file, key] of this.imported) {
      if (!ended.includes(key)) continue
      this.imported.delete(file)
      await rm(path.join(this.directory, file), { force: true })
      this.logger.log({ event: 'signing_key_dropped', kid: key.kid })
    }
    return this.newestFirst()
  }

  private newestFirst(): SigningKey[] {
    return [...this.imported.values()].sort((a, b) => b.createdAtMs - a.createdAtMs || (a.kid < b.kid ? -1 : 1))
  }

  private async listFiles(): Promise<string[]> {
    try {
      return (await readdir(this.directory)).filter((name) => KEY_FILE.test(name))
    } catch (cause) {
      throw new KeyDirectoryError(`key directory ${this.directory} cannot be read: ${wordsOf(cause)}`, { cause })
    }
  }

  /** A broken key keeps a server from starting, but must not stop a running one. */
  private async read(file: string, isFatal: boolean): Promise<void> {
    const whole = path.join(this.directory, file)
    try {
      const { mode } = await stat(whole)
      if ((mode & READABLE_BY_OTHERS) !== 0) this.logger.warn({ event: 'signing_key_open_to_others', file: whole })
      const jwk = JSON.parse(await readFile(whole, 'utf8')) as JWK & { createdAt?: unknown }
      const createdAtMs = parseTime(jwk.createdAt)
      if (createdAtMs === undefined) throw new Error('createdAt is missing')
      this.imported.set(file, await importSigningKey(jwk, createdAtMs))
      this.unusable.delete(file)
    } catch (cause) {
      const message = `${whole} is no usable signing key: ${wordsOf(cause)}`
      if (isFatal) throw new KeyDirectoryError(message, { cause })
      if (!this.unusable.has(file)) this.logger.error({ event: 'signing_key_unusable', reason: message })
      this.unusable.add(file)
    }
  }
}

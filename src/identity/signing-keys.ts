import { Logger, type OnModuleDestroy } from '@nestjs/common'
import type { JSONWebKeySet } from 'jose'
import { wordsOf } from './key-file.js'
import type { KeySource } from './key-source.js'
import type { SigningKey } from './signing-key.js'

/** A rotation made beside the running server is seen within this. */
export const KEY_POLL_MS = 2000

/** The keys in use: one signs, all verify. Looks at their source every two seconds, so that a rotation needs no restart. */
export class SigningKeys implements OnModuleDestroy {
  private readonly logger = new Logger('keys')
  private timer: NodeJS.Timeout | undefined
  private isFailing = false
  private byKid: ReadonlyMap<string, SigningKey>

  private constructor(
    private readonly source: KeySource,
    private keys: readonly SigningKey[],
  ) {
    this.byKid = mapOf(keys)
  }

  /** @throws KeyDirectoryError | ConfigError when there is no usable key */
  static async open(source: KeySource): Promise<SigningKeys> {
    return new SigningKeys(source, await source.load())
  }

  /** The key that signs. */
  get current(): SigningKey {
    const [first] = this.keys
    if (first === undefined) throw new Error('there is no signing key')
    return first
  }

  /** The key that a token names, while it may verify. */
  find(kid: string): SigningKey | undefined {
    return this.byKid.get(kid)
  }

  /** All public keys, the signing one first. */
  publicSet(): JSONWebKeySet {
    return { keys: this.keys.map(({ publicJwk }) => publicJwk) }
  }

  /** Looks for changes now. When the source fails, the keys stay as they are. */
  async refresh(): Promise<void> {
    try {
      const keys = await this.source.load()
      const before = this.current.kid
      this.keys = keys
      this.byKid = mapOf(keys)
      if (this.current.kid !== before) this.logger.log({ event: 'signing_key_rotated', kid: this.current.kid })
      this.isFailing = false
    } catch (error) {
      if (!this.isFailing) this.logger.error({ event: 'signing_keys_unreadable', reason: wordsOf(error) })
      this.isFailing = true
    }
  }

  /** Starts looking every two seconds. */
  watch(): void {
    this.timer = setTimeout(() => void this.refresh().then(() => this.timer && this.watch()), KEY_POLL_MS)
    this.timer.unref()
  }

  onModuleDestroy(): void {
    clearTimeout(this.timer)
    this.timer = undefined
  }
}

function mapOf(keys: readonly SigningKey[]): ReadonlyMap<string, SigningKey> {
  return new Map(keys.map((key) => [key.kid, key]))
}

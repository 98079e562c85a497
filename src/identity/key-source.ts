import type { JWK } from 'jose'
import { ConfigError } from '../config/app-config.js'
import { wordsOf } from './key-file.js'
import { importSigningKey, type SigningKey } from './signing-key.js'

/** Where signing keys come from. */
export abstract class KeySource {
  /** @returns the keys that verify, never none; the first one signs */
  abstract load(): Promise<readonly SigningKey[]>
}

/** Keys given by the environment: they change only with a restart. */
export class EnvironmentKeys extends KeySource {
  /** @param keySet a JSON Web Key Set of private P-256 keys, as SIGNING_KEYS */
  constructor(private readonly keySet: string) {
    super()
  }

  /** @throws ConfigError */
  async load(): Promise<readonly SigningKey[]> {
    try {
      const { keys } = JSON.parse(this.keySet) as { keys: JWK[] }
      const imported = await Promise.all(keys.map((jwk) => importSigningKey(jwk, 0)))
      if (new Set(imported.map(({ kid }) => kid)).size < imported.length) throw new Error('two keys have one kid')
      return imported
    } catch (cause) {
      throw new ConfigError([
        { variable: 'SIGNING_KEYS', message: `holds a key that cannot be used: ${wordsOf(cause)}` },
      ])
    }
  }
}

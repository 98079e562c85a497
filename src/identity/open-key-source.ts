import path from 'node:path'
import type { AppConfig } from '../config/app-config.js'
import { KeyDirectory } from './key-directory.js'
import { EnvironmentKeys, type KeySource } from './key-source.js'
import { LINK_TTL_S } from './tokens.js'

/** Where the configuration says that keys are: SIGNING_KEYS, else DATA_DIR/keys. */
export function openKeySource(config: AppConfig): KeySource {
  return config.SIGNING_KEYS === undefined ? openKeyDirectory(config) : new EnvironmentKeys(config.SIGNING_KEYS)
}

export function openKeyDirectory({ DATA_DIR, DEVICE_TOKEN_TTL_S, USER_TOKEN_TTL_S }: AppConfig): KeyDirectory {
  return new KeyDirectory(
    path.join(DATA_DIR, 'keys'),
    Math.max(DEVICE_TOKEN_TTL_S, USER_TOKEN_TTL_S, LINK_TTL_S) * 1000,
  )
}

import { ConfigError } from '../config/app-config.js'
import { readConfig } from '../config/read-config.js'
import { KeyDirectoryError } from '../identity/key-file.js'
import { openKeyDirectory } from '../identity/open-key-source.js'
import { KEY_POLL_MS } from '../identity/signing-keys.js'

/** Adds a signing key; a running server signs with it within seconds, and what older keys signed stays good until it ends. */
async function rotate(): Promise<string> {
  const config = readConfig()
  if (config.SIGNING_KEYS !== undefined) {
    throw new ConfigError([
      { variable: 'SIGNING_KEYS', message: 'is set: put a new key first in it, keep the old ones, and restart' },
    ])
  }
  const keys = await openKeyDirectory(config).rotate()
  const [newest, ...older] = keys.map(({ kid }) => kid)
  return `new signing key ${newest}; still verifying: ${older.join(', ') || 'none'}
a running server signs with it within ${KEY_POLL_MS / 1000} s
`
}

try {
  process.stdout.write(await rotate())
} catch (error) {
  const isExpected = error instanceof ConfigError || error instanceof KeyDirectoryError
  process.stderr.write(`keys:rotate: ${isExpected ? error.message : String(error)}\n`)
  process.exitCode = isExpected ? error.exitCode : 1
}

import { existsSync, readFileSync } from 'node:fs'
import { parse } from 'dotenv'
import { type AppConfig, parseConfig } from './app-config.js'

/**
 * Reads the environment, and `.env` in the working directory for what the environment does not set. The only reader of `process.env`.
 * @throws ConfigError
 */
export function readConfig(): AppConfig {
  const file = existsSync('.env') ? parse(readFileSync('.env')) : {}
  // On the oldest Node that we promise the SDK of S3 says, in the middle of the log, that a later one of it will want a newer.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
  return parseConfig({ ...file, ...process.env })
}

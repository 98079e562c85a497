import { existsSync, readFileSync } from 'node:fs'
import { parse } from 'dotenv'
import { type AppConfig, parseConfig } from './app-config.js'

/**
 * Reads the environment, and `.env` in the working directory for what the environment does not set. The only reader of `process.env`.
 * @throws ConfigError
 */
export function readConfig(): AppConfig {
  const file = existsSync('.env') ? parse(readFileSync('.env')) : {}
  return parseConfig({ ...file, ...process.env })
}

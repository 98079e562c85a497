import type { z } from 'zod'
import { CONFIG_SCHEMA, type ConfigVariables } from './config.schema.js'

/** Wrong or missing variables, all of them at once. The process ends with {@link ConfigError.exitCode}. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  /** EX_CONFIG of sysexits.h. */
  readonly exitCode = 78

  constructor(readonly problems: readonly { variable: string; message: string }[]) {
    super(`wrong configuration: ${problems.map(({ variable, message }) => `${variable} ${message}`).join('; ')}`)
  }
}

/** The configuration, parsed once and frozen. Its names are the environment's. The class is also the injection token. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the members are those of the schema, written once there
export abstract class AppConfig {}
export interface AppConfig extends Readonly<ConfigVariables> {}

/**
 * Parses the environment.
 * @param environment such as `process.env`; empty strings count as unset
 * @throws ConfigError naming every variable that is wrong
 */
export function parseConfig(environment: Readonly<Record<string, string | undefined>>): AppConfig {
  const known = Object.keys(CONFIG_SCHEMA.shape)
  const given = Object.fromEntries(
    known.map((name) => [name, environment[name]?.trim()]).filter(([, value]) => value !== undefined && value !== ''),
  )
  const parsed = CONFIG_SCHEMA.safeParse(given)
  if (!parsed.success) throw new ConfigError(parsed.error.issues.map(toProblem))
  const missing = findMissing(parsed.data)
  if (missing.length > 0) throw new ConfigError(missing)
  return Object.freeze(Object.assign(Object.create(AppConfig.prototype), parsed.data) as AppConfig)
}

/** What is of no use, or means something else, without another variable. */
function findMissing(config: ConfigVariables): { variable: string; message: string }[] {
  const missing: { variable: string; message: string }[] = []
  if (config.SQL_TLS_CA !== undefined && config.SQL_TLS === 'off')
    missing.push({ variable: 'SQL_TLS', message: 'must not be off when SQL_TLS_CA is set' })
  if (config.S3_ENDPOINT !== undefined && config.S3_BUCKET === undefined)
    missing.push({ variable: 'S3_BUCKET', message: 'must be set when S3_ENDPOINT is' })
  if ((config.S3_ACCESS_KEY_ID === undefined) !== (config.S3_SECRET_ACCESS_KEY === undefined)) {
    const variable = config.S3_ACCESS_KEY_ID === undefined ? 'S3_ACCESS_KEY_ID' : 'S3_SECRET_ACCESS_KEY'
    missing.push({ variable, message: 'must be set when the other half of the S3 key is' })
  }
  return missing
}

function toProblem(issue: z.core.$ZodIssue): { variable: string; message: string } {
  return { variable: String(issue.path[0]), message: issue.message }
}

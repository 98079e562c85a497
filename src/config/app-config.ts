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
  return Object.freeze(Object.assign(Object.create(AppConfig.prototype), parsed.data) as AppConfig)
}

function toProblem(issue: z.core.$ZodIssue): { variable: string; message: string } {
  return { variable: String(issue.path[0]), message: issue.message }
}

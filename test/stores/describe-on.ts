import type { ServerVariable } from './test-servers.js'

/** A suite against a real server: where its variable is not set it is skipped, and its name says so. */
export function describeOn(variable: ServerVariable, name: string, suite: () => void): void {
  if (process.env[variable] === undefined) describe.skip(`${name} (needs ${variable})`, suite)
  else describe(name, suite)
}

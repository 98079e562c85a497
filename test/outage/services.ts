import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A server of a store, as `.ci/services` names it. */
export type Service = 'sql' | 'mongo' | 's3'

/** Where `.ci/services up` made the servers that these tests may stop and kill; no other test may use them meanwhile. */
const DIRECTORY = process.env.SERVICES_DIR

/** A suite that ends servers under the application; without servers of its own it is skipped, and its name says so. */
export function describeOutage(name: string, suite: () => void): void {
  if (DIRECTORY === undefined) describe.skip(`${name} (needs SERVICES_DIR: where .ci/services started servers)`, suite)
  else describe(name, suite)
}

/** SIGKILL. */
export const kill = (service: Service) => control('kill', service)
export const stop = (service: Service) => control('stop', service)
/** On the data and the port that it had. Resolves when it answers; where it runs already, at once. */
export const start = (service: Service) => control('start', service)

/** Lets the makers of databases and buckets find the servers: their variables, as `.ci/services` wrote them, become those of this process. */
export function useServices(): void {
  for (const line of readFileSync(path.join(directory(), 'env'), 'utf8').split('\n')) {
    const [, name, value] = /^(\w+)=(.*)$/.exec(line) ?? []
    if (name !== undefined) process.env[name] = value
  }
}

async function control(action: string, service: Service): Promise<void> {
  await run(path.resolve('.ci/services'), [action, directory(), service])
}

function directory(): string {
  if (DIRECTORY === undefined) throw new Error('SERVICES_DIR is not set')
  return DIRECTORY
}

import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Made, makeBucket, makeMongoDatabase, makeSqlDatabase } from '../stores/test-servers.js'
import { ServerProcess } from '../support/server-process.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import type { Service } from './services.js'

/** Which details of /health/ready tell of a service. */
export const DETAILS: Readonly<Record<Service, readonly string[]>> = {
  sql: ['sql'],
  mongo: ['positions', 'quarantine', 'frames'],
  s3: ['blobs'],
}

const MAKERS: Readonly<Record<Service, () => Promise<Made>>> = {
  sql: () => makeSqlDatabase(),
  mongo: () => makeMongoDatabase(),
  s3: () => makeBucket(),
}

export interface Readiness {
  readonly status: number
  readonly details: Readonly<Record<string, { readonly status: string; readonly message: string | null }>>
}

/** The built application in a process of its own, on new stores: some on servers, the rest embedded. */
export class OutageServer {
  private constructor(
    readonly process: ServerProcess,
    private readonly made: readonly Made[],
  ) {}

  /**
   * @param services the stores that are servers
   * @param reroute changes the variables, such as to a way through a proxy
   */
  static async start(
    services: readonly Service[],
    reroute: (variables: Record<string, string>) => Record<string, string> = (variables) => variables,
  ): Promise<OutageServer> {
    const made = await Promise.all(services.map((service) => MAKERS[service]()))
    const variables: Record<string, string> = Object.assign({}, ...made.map((one) => one.variables))
    const server = new ServerProcess({
      DATA_DIR: temporaryDirectory(),
      DEVICE_ENROLMENT: 'open',
      DEVICE_EVENTS_PER_SECOND: '0',
      LOGIN_FAILURES_PER_MINUTE: '0',
      MEDIA_WORKERS: '0',
      USER_TOKEN_TTL_S: '3600',
      LOG_LEVEL: 'warn',
      ...reroute(variables),
    })
    const outage = new OutageServer(server, made)
    try {
      await server.start()
    } catch (error) {
      await outage.remove()
      throw error
    }
    return outage
  }

  async ready(): Promise<Readiness> {
    const { status, body } = await this.process.api.get<Pick<Readiness, 'details'>>('/health/ready')
    return { status, details: body.details }
  }

  /** Names of the stores that do not work, as readiness tells. */
  async away(): Promise<string[]> {
    const { details } = await this.ready()
    return namesAway(details)
  }

  /** Waits until exactly these are told to be away, in whatever order. @returns how long it took, ms */
  async untilAway(expected: readonly string[], withinMs: number): Promise<number> {
    const startedMs = performance.now()
    const wanted = [...expected].sort().join()
    for (;;) {
      const { details } = await this.ready()
      const away = namesAway(details)
      const tookMs = Math.round(performance.now() - startedMs)
      if (away.sort().join() === wanted) return tookMs
      if (tookMs > withinMs) throw new Error(`after ${tookMs} ms it tells ${JSON.stringify(details)}`)
      await sleep(50)
    }
  }

  /** Time that /health/live takes, ms. */
  async liveMs(): Promise<number> {
    const startedMs = performance.now()
    const { status } = await this.process.api.get('/health/live')
    if (status !== 200) throw new Error(`/health/live: ${status}`)
    return performance.now() - startedMs
  }

  /** Memory of the process that is not on disk, MiB. */
  get memoryMib(): number {
    const status = readFileSync(`/proc/${this.process.pid}/status`, 'utf8')
    return Math.round(Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024)
  }

  /** Ends it. @returns the exit code */
  stop(): Promise<number | null> {
    return this.process.stop()
  }

  /** Ends it, whatever it does, and removes its stores; their servers must run. */
  async remove(): Promise<void> {
    await this.process.kill()
    await Promise.all(this.made.map((one) => one.remove()))
  }
}

const namesAway = (details: Readiness['details']) =>
  Object.entries(details).flatMap(([name, { status }]) => (status === 'ok' ? [] : [name]))

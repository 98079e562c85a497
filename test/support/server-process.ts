import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { storesOf } from '../stores/test-servers.js'
import { Api } from './api.js'
import { freePort } from './free-port.js'
import { NO_TRACKER_PORTS } from './tracker-ports.js'

export const ADMIN_PASSWORD = 'a password for tests'
const ROOT = process.cwd()
const START_WITHIN_MS = 60_000

/** The built server in a process of its own, to be killed, stopped and started again on the same data. */
export class ServerProcess {
  private child: ChildProcess | undefined
  private output = ''
  private port = 0

  /**
   * @param environment on top of what tests need; DATA_DIR must be given
   * @param dist the built application; another one than the project's own proves that a test bites
   */
  constructor(
    private readonly environment: Record<string, string>,
    private readonly dist = path.join(ROOT, 'dist'),
  ) {}

  get pid(): number {
    if (this.child?.pid === undefined) throw new Error('not running')
    return this.child.pid
  }

  get dataDirectory(): string {
    return this.environment.DATA_DIR as string
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  get api(): Api {
    return new Api(this.url)
  }

  /** Everything it wrote, standard output and error. */
  get log(): string {
    return this.output
  }

  /** Starts it, on the same port as the last time, and waits until it listens. */
  async start(): Promise<void> {
    this.output = ''
    // One that the system gives might be that of somebody's outgoing connection when it is wanted again.
    if (this.port === 0) this.port = await freePort()
    const env = {
      PATH: process.env.PATH,
      HOST: '127.0.0.1',
      PORT: String(this.port),
      ADMIN_PASSWORD,
      LOG_FORMAT: 'json',
      DISK_MIN_FREE: '0',
      ...NO_TRACKER_PORTS,
      ...(await storesOf(this.dataDirectory)),
      ...this.environment,
    }
    const child = spawn(process.execPath, [path.join(this.dist, 'src/main.js')], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.child = child
    const listening = new Promise<number>((resolve, reject) => {
      const take = (chunk: Buffer) => {
        this.output += chunk.toString()
        const port = /Milepost listens on http:\/\/[^\s:]+:(\d+)/.exec(this.output)?.[1]
        if (port !== undefined) resolve(Number(port))
      }
      child.stdout.on('data', take)
      child.stderr.on('data', take)
      child.once('exit', (code, signal) => reject(new Error(`server ended (${code ?? signal}):\n${this.output}`)))
      setTimeout(() => reject(new Error(`server did not start:\n${this.output}`)), START_WITHIN_MS).unref()
    })
    this.port = await listening
  }

  /** SIGKILL: the process ends between two instructions. */
  async kill(): Promise<void> {
    await this.end('SIGKILL')
  }

  /** Waits until the process ends by itself. */
  async ended(): Promise<void> {
    const { child } = this
    this.child = undefined
    if (child !== undefined && child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }

  /** SIGTERM. @returns the exit code */
  async stop(): Promise<number | null> {
    return this.end('SIGTERM')
  }

  private async end(signal: NodeJS.Signals): Promise<number | null> {
    const { child } = this
    this.child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null
    const ended = once(child, 'exit')
    child.kill(signal)
    const [code] = (await ended) as [number | null]
    return code
  }
}

/** Runs the built server until it ends by itself, for starts that must fail. */
export async function runToEnd(environment: Record<string, string>): Promise<{ code: number | null; output: string }> {
  const stores = environment.DATA_DIR === undefined ? {} : await storesOf(environment.DATA_DIR)
  const env = {
    PATH: process.env.PATH,
    HOST: '127.0.0.1',
    PORT: '0',
    DISK_MIN_FREE: '0',
    ...NO_TRACKER_PORTS,
    ...stores,
    ...environment,
  }
  const child = spawn(process.execPath, [path.join(ROOT, 'dist/src/main.js')], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), START_WITHIN_MS)
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(timer)
  return { code, output }
}

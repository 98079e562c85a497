import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Api, testImei } from '../test/support/api.js'
import { NO_TRACKER_PORTS } from '../test/support/tracker-ports.js'
import { type Child, startChild } from './child-process.js'

const MAIN = fileURLToPath(new URL('../src/main.js', import.meta.url))
const ADMIN_PASSWORD = 'a password for measuring'
const LOGINS_AT_ONCE = 50

type Variables = Readonly<Record<string, string>>

/** The built server in a process of its own on embedded stores in a directory of its own. */
export class Milepost {
  private constructor(
    private readonly child: Child,
    /** Where its data is. */
    readonly directory: string,
  ) {}

  /**
   * @param profileDirectory where CPU profiles of its threads are written when it stops; undefined: none
   * @param variables of its environment beside those that every load has
   */
  static async start(profileDirectory?: string, variables: Variables = {}): Promise<Milepost> {
    return Milepost.startIn(mkdtempSync(path.join(tmpdir(), 'milepost-bench-')), profileDirectory, variables)
  }

  private static async startIn(
    directory: string,
    profileDirectory?: string,
    variables: Variables = {},
  ): Promise<Milepost> {
    const profiling = profileDirectory === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDirectory}`]
    const environment = {
      NODE_ENV: 'production',
      HOST: '127.0.0.1',
      PORT: '0',
      DATA_DIR: directory,
      ADMIN_PASSWORD,
      DEVICE_ENROLMENT: 'open',
      DEVICE_EVENTS_PER_SECOND: '0',
      LOGIN_FAILURES_PER_MINUTE: '0',
      DISK_MIN_FREE: '0',
      LOG_LEVEL: 'warn',
      ...NO_TRACKER_PORTS,
      ...variables,
    }
    return new Milepost(await startChild([...profiling, MAIN], environment), directory)
  }

  get url(): string {
    return this.child.url
  }

  get pid(): number {
    return this.child.pid
  }

  get api(): Api {
    return new Api(this.url)
  }

  /** Stops it and starts it again on the same data. @param variables as of {@link start} */
  async restart(variables: Variables = {}): Promise<Milepost> {
    await this.child.stop()
    return Milepost.startIn(this.directory, undefined, variables)
  }

  async stop(): Promise<void> {
    await this.child.stop()
    rmSync(this.directory, { recursive: true, force: true })
  }

  /** Tokens of the first so many units, which are enrolled by this; some at once. */
  async loginUnits(count: number): Promise<string[]> {
    const tokens: string[] = []
    let next = 0
    const loginSome = async () => {
      for (let unit = next++; unit < count; unit = next++) tokens[unit] = await this.api.loginDevice(testImei(unit))
    }
    await Promise.all(Array.from({ length: LOGINS_AT_ONCE }, loginSome))
    return tokens
  }

  loginAdmin(): Promise<string> {
    return this.api.login('admin', ADMIN_PASSWORD)
  }
}

import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { createApp } from '../../src/app.js'
import { parseConfig } from '../../src/config/app-config.js'
import { FirstAdmin } from '../../src/identity/first-admin.js'
import { Api } from './api.js'
import { ADMIN_PASSWORD } from './server-process.js'
import { temporaryDirectory } from './temporary-directory.js'

/** The whole application in this process, listening on a free port. */
export interface RunningApp {
  readonly app: NestFastifyApplication
  readonly api: Api
  readonly url: string
  /** Access token of the user `admin`. */
  readonly admin: string
  close(): Promise<void>
}

/** Starts it on fresh embedded stores (or on `DATA_DIR`), the way `main.ts` does. */
export async function startApp(environment: Record<string, string> = {}): Promise<RunningApp> {
  const config = parseConfig({
    HOST: '127.0.0.1',
    PORT: '0',
    ADMIN_PASSWORD,
    DATA_DIR: environment.DATA_DIR ?? temporaryDirectory(),
    DISK_MIN_FREE: '0',
    LOG_LEVEL: 'error',
    ...environment,
  })
  const app = await createApp(config)
  await app.listen(0, '127.0.0.1')
  await app.get(FirstAdmin).ensure()
  const url = await app.getUrl()
  const api = new Api(url)
  return { app, api, url, admin: await api.login('admin', ADMIN_PASSWORD), close: () => app.close() }
}

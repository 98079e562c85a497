import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { Test } from '@nestjs/testing'
import { createApp, equipApp } from '../../src/app.js'
import { AppModule } from '../../src/app.module.js'
import { type AppConfig, parseConfig } from '../../src/config/app-config.js'
import { FirstAdmin } from '../../src/identity/first-admin.js'
import { PositionStore } from '../../src/storage/positions/position-store.js'
import { openSqlitePositions } from '../../src/storage/positions/sqlite-position-store.js'
import { createHttpAdapter } from '../../src/web/http-adapter.js'
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

/**
 * Starts it on fresh embedded stores (or on `DATA_DIR`), the way `main.ts` does.
 * @param decorate puts a store of the test's in front of the position store
 */
export async function startApp(
  environment: Record<string, string> = {},
  decorate?: (store: PositionStore) => PositionStore,
): Promise<RunningApp> {
  const config = parseConfig({
    HOST: '127.0.0.1',
    PORT: '0',
    ADMIN_PASSWORD,
    DATA_DIR: environment.DATA_DIR ?? temporaryDirectory(),
    DISK_MIN_FREE: '0',
    MEDIA_WORKERS: '0', // what a test puts into the stores stays as it is; who tests that work asks for it
    LOG_LEVEL: 'error',
    ...environment,
  })
  const { app, close } = decorate === undefined ? await createPlain(config) : await createDecorated(config, decorate)
  await app.listen(0, '127.0.0.1')
  await app.get(FirstAdmin).ensure()
  const url = await app.getUrl()
  const api = new Api(url)
  return { app, api, url, admin: await api.login('admin', ADMIN_PASSWORD), close }
}

interface Created {
  readonly app: NestFastifyApplication
  readonly close: () => Promise<void>
}

async function createPlain(config: AppConfig): Promise<Created> {
  const app = await createApp(config)
  return { app, close: () => app.close() }
}

async function createDecorated(config: AppConfig, decorate: (store: PositionStore) => PositionStore): Promise<Created> {
  const store = await openSqlitePositions({ directory: config.DATA_DIR })
  const module = await Test.createTestingModule({ imports: [AppModule.of(config)] })
    .overrideProvider(PositionStore)
    .useValue(decorate(store))
    .compile()
  const app = module.createNestApplication<NestFastifyApplication>(createHttpAdapter(config))
  await equipApp(app, config)
  const close = async () => {
    await app.close()
    await store.close() // the application closes the stores that it opened, and it did not open this one
  }
  return { app, close }
}

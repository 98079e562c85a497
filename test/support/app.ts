import type { Abstract, FactoryProvider } from '@nestjs/common'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { Test } from '@nestjs/testing'
import { createApp, equipApp } from '../../src/app.js'
import { AppModule } from '../../src/app.module.js'
import { type AppConfig, parseConfig } from '../../src/config/app-config.js'
import { FirstAdmin } from '../../src/identity/first-admin.js'
import { RawFrameStore } from '../../src/storage/frames/raw-frame-store.js'
import { PositionStore } from '../../src/storage/positions/position-store.js'
import { StorageModule } from '../../src/storage/storage.module.js'
import { createHttpAdapter } from '../../src/web/http-adapter.js'
import { storesOf } from '../stores/test-servers.js'
import { Api } from './api.js'
import { ADMIN_PASSWORD } from './server-process.js'
import { temporaryDirectory } from './temporary-directory.js'
import { NO_TRACKER_PORTS } from './tracker-ports.js'

/** The whole application in this process, listening on a free port. */
export interface RunningApp {
  readonly app: NestFastifyApplication
  readonly api: Api
  readonly url: string
  /** Access token of the user `admin`. */
  readonly admin: string
  close(): Promise<void>
}

/** What a test puts in front of stores. */
interface Decorators {
  readonly positions?: ((store: PositionStore) => PositionStore) | undefined
  readonly frames?: ((store: RawFrameStore) => RawFrameStore) | undefined
}

/**
 * Starts it on fresh stores (or on those of `DATA_DIR`), the way `main.ts` does.
 * @param decorate puts a store of the test's in front of the position store
 * @param frames the same of the store of raw frames
 */
export async function startApp(
  environment: Record<string, string> = {},
  decorate?: Decorators['positions'],
  frames?: Decorators['frames'],
): Promise<RunningApp> {
  const DATA_DIR = environment.DATA_DIR ?? temporaryDirectory()
  const config = parseConfig({
    HOST: '127.0.0.1',
    PORT: '0',
    ADMIN_PASSWORD,
    DATA_DIR,
    DISK_MIN_FREE: '0',
    MEDIA_WORKERS: '0', // what a test puts into the stores stays as it is; who tests that work asks for it
    LOG_LEVEL: 'error',
    ...(await storesOf(DATA_DIR)),
    ...NO_TRACKER_PORTS,
    ...environment,
  })
  const isPlain = decorate === undefined && frames === undefined
  const app = isPlain ? await createApp(config) : await createDecorated(config, { positions: decorate, frames })
  await app.listen(0, '127.0.0.1')
  await app.get(FirstAdmin).ensure()
  const url = await app.getUrl()
  const api = new Api(url)
  return { app, api, url, admin: await api.login('admin', ADMIN_PASSWORD), close: () => app.close() }
}

async function createDecorated(
  config: AppConfig,
  { positions = (store) => store, frames = (store) => store }: Decorators,
): Promise<NestFastifyApplication> {
  const module = await Test.createTestingModule({ imports: [AppModule.of(config)] })
    .overrideProvider(PositionStore)
    .useFactory(decorated(PositionStore, positions))
    .overrideProvider(RawFrameStore)
    .useFactory(decorated(RawFrameStore, frames))
    .compile()
  const app = module.createNestApplication<NestFastifyApplication>(createHttpAdapter(config))
  await equipApp(app, config)
  return app
}

/** Opens the store that the configuration picks, with the test's in front of it. */
function decorated<Store>(port: Abstract<Store>, decorate: (store: Store) => Store) {
  const providers = Reflect.getMetadata('providers', StorageModule) as Array<Partial<FactoryProvider<Store>>>
  const found = providers.find(({ provide }) => provide === port)
  const { useFactory, inject = [] } = found ?? {}
  if (useFactory === undefined) throw new Error(`${port.name} is not opened by a factory any more`)
  return { inject, factory: async (...given: never[]) => decorate(await useFactory(...given)) }
}

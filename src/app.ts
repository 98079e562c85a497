import { NestFactory } from '@nestjs/core'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { AppModule } from './app.module.js'
import type { AppConfig } from './config/app-config.js'
import { refuseNamelessUploads } from './ingress/http/nameless-uploads.js'
import { nameTusVersion } from './ingress/http/tus-version.js'
import { createLogger } from './operations/json-logger.js'
import { registerBodyParsers } from './web/body-parsers.js'
import { registerCsvBody } from './web/csv-body.js'
import { holdContinue } from './web/expect-continue.js'
import { createHttpAdapter, registerCors } from './web/http-adapter.js'
import { InFlight } from './web/in-flight.js'
import { setUpOpenApi } from './web/open-api.js'
import { RequestDeadlines } from './web/request-deadlines.js'
import { RouteMethods } from './web/route-methods.js'
import { SocketServer } from './web/socket-server.js'
import { registerStreamedBodies } from './web/streamed-body.js'

/**
 * Makes the whole application, not yet listening.
 * @throws StoreOpenError | DataDirectoryError
 */
export async function createApp(config: AppConfig): Promise<NestFastifyApplication> {
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.of(config), createHttpAdapter(config), {
    abortOnError: false,
    logger: createLogger(config),
  })
  await equipApp(app, config)
  return app
}

/** What the application needs around its modules: sockets, bodies, CORS, documentation. */
export async function equipApp(app: NestFastifyApplication, config: AppConfig): Promise<void> {
  const fastify = app.getHttpAdapter().getInstance()
  holdContinue(fastify)
  nameTusVersion(fastify)
  app.get(RouteMethods).watch(fastify)
  app.get(InFlight).watch(fastify)
  registerBodyParsers(app)
  registerCsvBody(fastify)
  registerStreamedBodies(fastify)
  refuseNamelessUploads(fastify)
  await registerCors(app, config)
  setUpOpenApi(app)
  app.get(SocketServer).attach(app.getHttpServer())
  // After the sockets, whose own requests are held to it too.
  new RequestDeadlines().watch(app.getHttpServer())
}

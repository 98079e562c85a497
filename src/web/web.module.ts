import { Global, Module } from '@nestjs/common'
import { APP_FILTER, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core'
import { InFlight } from './in-flight.js'
import { ProblemFilter } from './problem.filter.js'
import { RouteMethods } from './route-methods.js'
import { SchemaPipe } from './schema.pipe.js'
import { SocketServer } from './socket-server.js'
import { UnknownParametersInterceptor } from './unknown-parameters.interceptor.js'

/**
 * What every REST room shares: one filter for errors, one pipe for schemas, no query parameter that nobody knows, the requests under
 * way; and the socket server.
 */
@Global()
@Module({
  providers: [
    RouteMethods,
    InFlight,
    SocketServer,
    { provide: APP_FILTER, useClass: ProblemFilter },
    { provide: APP_PIPE, useClass: SchemaPipe },
    { provide: APP_INTERCEPTOR, useClass: UnknownParametersInterceptor },
  ],
  exports: [RouteMethods, InFlight, SocketServer],
})
export class WebModule {}

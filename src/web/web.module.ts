import { Global, Module } from '@nestjs/common'
import { APP_FILTER, APP_PIPE } from '@nestjs/core'
import { ProblemFilter } from './problem.filter.js'
import { RouteMethods } from './route-methods.js'
import { SchemaPipe } from './schema.pipe.js'

/** What every REST room shares: one filter for errors, one pipe for schemas. */
@Global()
@Module({
  providers: [
    RouteMethods,
    { provide: APP_FILTER, useClass: ProblemFilter },
    { provide: APP_PIPE, useClass: SchemaPipe },
  ],
  exports: [RouteMethods],
})
export class WebModule {}

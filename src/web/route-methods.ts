import { Injectable, NotFoundException } from '@nestjs/common'
import type { FastifyInstance, HTTPMethods } from 'fastify'
import findMyWay from 'find-my-way'

const NOOP = () => undefined

/** Knows which methods each path takes, so that a wrong one is answered 405 with `Allow` instead of 404. */
@Injectable()
export class RouteMethods {
  private readonly router = findMyWay({ ignoreTrailingSlash: false })
  private readonly methodsOf = new Map<string, Set<string>>()

  /** Learns the routes that are registered from now on. What has none is refused before anybody looks at its body. */
  watch(fastify: FastifyInstance): void {
    fastify.addHook('onRequest', (request, _reply, done) => {
      if (request.is404) done(new NotFoundException())
      else done()
    })
    fastify.addHook('onRoute', ({ method, url }) => {
      for (const one of [method].flat()) this.add(one as HTTPMethods, url)
    })
  }

  /**
   * Methods that have a route at this path, sorted. Of several that fit, the closest one counts: `/alarms/summary` is no alarm.
   */
  allowedAt(path: string): string[] {
    const route = this.router.find('GET', path)
    return isFound(route) ? [...(route.store as ReadonlySet<string>)].sort() : []
  }

  private add(method: string, url: string): void {
    if (url === '*' || url === '/*') return
    const form = url.replace(/:[^/]+/g, ':parameter')
    const known = this.methodsOf.get(form)
    if (known !== undefined) {
      known.add(method)
      return
    }
    const methods = new Set([method])
    this.methodsOf.set(form, methods)
    this.router.on('GET', url, NOOP, methods)
  }
}

/** `/devices/` is no device with an empty id. */
function isFound(
  route: findMyWay.FindResult<findMyWay.HTTPVersion.V1> | null,
): route is findMyWay.FindResult<findMyWay.HTTPVersion.V1> {
  return route !== null && !Object.values(route.params).includes('')
}

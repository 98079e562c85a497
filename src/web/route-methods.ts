import { Injectable, NotFoundException } from '@nestjs/common'
import type { FastifyInstance, HTTPMethods } from 'fastify'
import findMyWay from 'find-my-way'

const NOOP = () => undefined

/** Knows which methods each path takes, so that a wrong one is answered 405 with `Allow` instead of 404. */
@Injectable()
export class RouteMethods {
  private readonly routers = new Map<string, findMyWay.Instance<findMyWay.HTTPVersion.V1>>()

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
   * Methods that have a route at this path, sorted: also by a parameter that the path is a value of, since a device may be called
   * `import`. Whether there is such a thing is for the route to say: those not named here are answered 405, and no others.
   */
  allowedAt(path: string): string[] {
    return [...this.routers]
      .filter(([, router]) => isFound(router.find('GET', path)))
      .map(([method]) => method)
      .sort()
  }

  private add(method: string, url: string): void {
    if (url === '*' || url === '/*') return
    const router = this.routers.get(method) ?? findMyWay({ ignoreTrailingSlash: false })
    this.routers.set(method, router)
    if (!router.hasRoute('GET', url)) router.on('GET', url, NOOP)
  }
}

/** `/devices/` is no device with an empty id. */
function isFound(route: findMyWay.FindResult<findMyWay.HTTPVersion.V1> | null): boolean {
  return route !== null && !Object.values(route.params).includes('')
}

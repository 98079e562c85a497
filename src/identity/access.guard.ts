import { type CanActivate, type ExecutionContext, Injectable, type OnModuleInit } from '@nestjs/common'
import { PATH_METADATA } from '@nestjs/common/constants.js'
import { DiscoveryService, MetadataScanner, Reflector } from '@nestjs/core'
import type { FastifyRequest } from 'fastify'
import { AppError } from '../model/app-error.js'
import type { Role } from '../storage/sql/user-records.js'
import { ACCESS, type Access, type Caller, LINK_PARAMETER, OPEN_TO_LINKS, setCaller } from './access.js'
import { bearerTokenOf } from './bearer-token.js'
import { TokenVerifier } from './token-verifier.js'

const RANK: Readonly<Record<Role, number>> = { viewer: 0, operator: 1, admin: 2 }

/** Lets a request through to a route only as the route's access decorator says. A route without one is closed to all. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly verifier: TokenVerifier,
  ) {}

  /** @throws AppError `token_missing` | `token_invalid` | `token_expired` | `forbidden` | `store_unavailable` */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    // Sockets are asked for their token in the handshake.
    if (context.getType() !== 'http') return true
    const route = [context.getHandler(), context.getClass()]
    const access = this.reflector.getAllAndOverride<Access | undefined>(ACCESS, route)
    if (access === 'public') return true
    const request = context.switchToHttp().getRequest<FastifyRequest>()
    if (access === undefined) throw new AppError('forbidden', 'Nobody may call this route')
    const isOpenToLinks = this.reflector.getAllAndOverride<boolean | undefined>(OPEN_TO_LINKS, route) === true
    const byLink = isOpenToLinks ? await this.identifyLink(request) : undefined
    setCaller(request, byLink ?? (await this.identify(access, bearerTokenOf(request.headers.authorization))))
    return true
  }

  /** @returns undefined when the request brings no link, or a header that says who asks */
  private async identifyLink({ headers, query, url }: FastifyRequest): Promise<Caller | undefined> {
    const link = (query as Readonly<Record<string, unknown>>)[LINK_PARAMETER]
    if (headers.authorization !== undefined || link === undefined) return undefined
    await this.verifier.verifyLink(typeof link === 'string' ? link : 'given several times', url.split('?', 1)[0] ?? '')
    return { kind: 'link' }
  }

  private async identify(access: Exclude<Access, 'public'>, token: string | undefined): Promise<Caller> {
    if (access === 'device') {
      const { deviceId } = await this.verifier.verifyDevice(token)
      return { kind: 'device', deviceId }
    }
    const { username, accountSinceMs, role, sessionId } = await this.verifier.verifyUser(token)
    if (RANK[role] < RANK[access]) throw new AppError('forbidden', `This needs the role ${access}`)
    return { kind: 'user', username, accountSinceMs, role, sessionId }
  }
}

/** Refuses to start with a route that nobody decided on: forgetting it must not be found out in production. */
@Injectable()
export class AccessCheck implements OnModuleInit {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly reflector: Reflector,
  ) {}

  /** @throws Error naming every route without an access decorator */
  onModuleInit(): void {
    const open = this.discovery.getControllers().flatMap(({ metatype }) => this.undecidedOf(metatype))
    if (open.length > 0) throw new Error(`routes without an access decorator: ${open.join(', ')}`)
  }

  private undecidedOf(controller: unknown): string[] {
    if (typeof controller !== 'function') return []
    const prototype = controller.prototype as Record<string, unknown>
    return this.scanner.getAllMethodNames(prototype).flatMap((name) => {
      const handler = prototype[name]
      if (typeof handler !== 'function' || !Reflect.hasMetadata(PATH_METADATA, handler)) return []
      const access: unknown = this.reflector.get(ACCESS, handler) ?? this.reflector.get(ACCESS, controller)
      return access === undefined ? [`${controller.name}.${name}`] : []
    })
  }
}

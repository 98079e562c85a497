import { applyDecorators, createParamDecorator, type ExecutionContext, SetMetadata } from '@nestjs/common'
import { ApiBearerAuth, ApiExtension } from '@nestjs/swagger'
import type { FastifyRequest } from 'fastify'
import type { DeviceId } from '../model/device-id.js'
import type { Role } from '../storage/sql/user-records.js'
import { Refuses } from '../web/answers.js'
import { ROLE_EXTENSION } from '../web/complete-document.js'

/** Who a request comes from, as its token proved. */
export type Caller =
  | { readonly kind: 'device'; readonly deviceId: DeviceId }
  | {
      readonly kind: 'user'
      readonly username: string
      /** When the account was made: tells it from one of the same name that is gone. */
      readonly accountSinceMs: number
      readonly role: Role
      readonly sessionId: string
    }
  | { readonly kind: 'link' }

export type UserCaller = Extract<Caller, { kind: 'user' }>

/** What a route asks of its caller. */
export type Access = 'public' | 'device' | Role

export const ACCESS = 'milepost:access'
/** Marks routes that a signed link opens as well. */
export const OPEN_TO_LINKS = 'milepost:open-to-links'
/** Query parameter of a signed link. */
export const LINK_PARAMETER = 'link'
const CALLER = Symbol('caller')

type RequestWithCaller = FastifyRequest & { [CALLER]?: Caller }

/** No token is asked for. */
export const Public = () => SetMetadata(ACCESS, 'public' satisfies Access)

/** Only a device token passes. */
export const ForDevices = () =>
  applyDecorators(
    SetMetadata(ACCESS, 'device' satisfies Access),
    ApiBearerAuth('device'),
    Refuses('token_missing', 'token_invalid', 'token_expired'),
  )

/** Only a user token passes, of this role or a higher one. */
export const ForUsers = (role: Role) =>
  applyDecorators(
    SetMetadata(ACCESS, role satisfies Access),
    ApiBearerAuth('user'),
    ApiExtension(ROLE_EXTENSION, role),
    Refuses('token_missing', 'token_invalid', 'token_expired', ...(role === 'viewer' ? [] : (['forbidden'] as const))),
  )

/**
 * A user token passes as with {@link ForUsers}; without an `Authorization` header a link passes that was signed for this very path.
 * Only for reading: whoever has the link is let in, and nobody knows who that is. The route's query schema takes `link`.
 */
export const ForUsersOrLink = (role: Role) => applyDecorators(ForUsers(role), SetMetadata(OPEN_TO_LINKS, true))

/** The user whose token came with the request. */
export const CurrentUser = createParamDecorator((_: unknown, context: ExecutionContext): UserCaller => {
  const caller = callerOf(context.switchToHttp().getRequest())
  if (caller?.kind !== 'user') throw new Error('CurrentUser on a route that is not for users')
  return caller
})

/** The id of the device whose token came with the request. */
export const CurrentDeviceId = createParamDecorator((_: unknown, context: ExecutionContext): DeviceId => {
  const caller = callerOf(context.switchToHttp().getRequest())
  if (caller?.kind !== 'device') throw new Error('CurrentDeviceId on a route that is not for devices')
  return caller.deviceId
})

/** Who the guard found the caller to be; undefined on public routes. */
export function callerOf(request: FastifyRequest): Caller | undefined {
  return (request as RequestWithCaller)[CALLER]
}

/** Only the guard calls this. */
export function setCaller(request: FastifyRequest, caller: Caller): void {
  ;(request as RequestWithCaller)[CALLER] = caller
}

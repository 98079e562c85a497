import { z } from 'zod'
import { formatTime } from '../model/time.js'
import type { UserRecord } from '../storage/sql/user-records.js'
import { cursorIn, limitIn, pageOut, timeOut } from '../web/schemas.js'
import { newPassword, roleSchema } from './auth.schema.js'
import { isUserName, RESERVED_USER_NAMES, USER_NAME } from './user-name.js'

export const userOut = z
  .object({ username: z.string(), role: roleSchema, disabled: z.boolean(), createdAt: timeOut() })
  .meta({
    id: 'User',
    examples: [{ username: 'anna', role: 'operator', disabled: false, createdAt: '2026-11-22T07:30:00.000Z' }],
  })

export const usersOut = pageOut(userOut).meta({ id: 'UserPage' })

export const userListIn = z.strictObject({ limit: limitIn(), cursor: cursorIn() })

/** The name in a path. What cannot be one is not found. */
export const userNameParam = z
  .string()
  .regex(USER_NAME)
  .meta({ description: 'Name of a user', examples: ['anna'] })

export const userCreateIn = z
  .strictObject({
    username: z
      .string()
      .refine(isUserName, 'must be 1 to 64 of letters, digits, . _ - @, and not system')
      .meta({
        description: '1 to 64 of letters, digits, `.`, `_`, `-`, `@`; not `system`',
        pattern: USER_NAME.source,
        not: { enum: RESERVED_USER_NAMES },
      }),
    password: newPassword(),
    role: roleSchema,
  })
  .meta({ id: 'UserCreate', examples: [{ username: 'anna', password: 'correct horse battery', role: 'operator' }] })

export const userChangeIn = z
  .strictObject({ role: roleSchema.optional(), disabled: z.boolean().optional(), password: newPassword().optional() })
  .meta({ id: 'UserChange', examples: [{ role: 'viewer', disabled: false }] })

/** What is shown of a user. */
export function toUserJson({ username, role, disabled, createdAtMs }: UserRecord): z.output<typeof userOut> {
  return { username, role, disabled, createdAt: formatTime(createdAtMs) }
}

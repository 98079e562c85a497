import { z } from 'zod'
import { formatTime } from '../model/time.js'
import type { UserRecord } from '../storage/sql/user-records.js'
import { cursorIn, limitIn, pageOut, timeOut } from '../web/schemas.js'
import { newPassword, roleSchema } from './auth.schema.js'
import { isUserName } from './user-name.js'

export const userOut = z
  .object({ username: z.string(), role: roleSchema, disabled: z.boolean(), createdAt: timeOut() })
  .meta({
    id: 'User',
    examples: [{ username: 'anna', role: 'operator', disabled: false, createdAt: '2026-11-22T07:30:00.000Z' }],
  })

export const usersOut = pageOut(userOut).meta({ id: 'UserPage' })

export const userListIn = z.strictObject({ limit: limitIn(), cursor: cursorIn() })

/** The name in a path: any text may be asked for, most of it names nobody. */
export const userNameParam = z.string().min(1).max(64)

export const userCreateIn = z
  .strictObject({
    username: z
      .string()
      .min(1)
      .max(64)
      .refine(isUserName, 'must be 1 to 64 of letters, digits, . _ - @, and not system')
      .describe('1 to 64 of letters, digits, `.`, `_`, `-`, `@`'),
    password: newPassword(),
    role: roleSchema,
  })
  .meta({ id: 'UserCreate', examples: [{ username: 'anna', password: 'correct horse battery', role: 'operator' }] })

export const userChangeIn = z
  .strictObject({ role: roleSchema.optional(), disabled: z.boolean().optional(), password: newPassword().optional() })
  .meta({ id: 'UserChange', examples: [{ role: 'viewer' }, { disabled: true }] })

/** What is shown of a user. */
export function toUserJson({ username, role, disabled, createdAtMs }: UserRecord): z.output<typeof userOut> {
  return { username, role, disabled, createdAt: formatTime(createdAtMs) }
}

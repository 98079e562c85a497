import { z } from 'zod'
import { MAX_DEVICE_SECRET_LENGTH } from './device-secrets.js'
import { MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH } from './user-name.js'

const JWT = 'eyJhbGciOiJFUzI1NiIsImtpZCI6Ii4uLiJ9.eyJzdWIiOiIuLi4ifQ.MEUCIQ'
const REFRESH_TOKEN = '0b54a4f4-6f6f-4a5e-9d3f-4a4a0c6a6d3e.qv1nJr9Yy0mJ2m0Q8b1u5xJc1rW2l9d8e7f6g5h4i3k'

export const roleSchema = z
  .enum(['viewer', 'operator', 'admin'])
  .describe('viewer reads; operator also works alarms and sends commands; admin also manages devices and users')

/** A password as it must be to be set. */
export const newPassword = () =>
  z
    .string()
    .min(MIN_PASSWORD_LENGTH, `must have at least ${MIN_PASSWORD_LENGTH} characters`)
    .max(MAX_PASSWORD_LENGTH, `must have at most ${MAX_PASSWORD_LENGTH} characters`)

/** A password as it may be presented. */
const anyPassword = () => z.string().min(1).max(MAX_PASSWORD_LENGTH)

// The ids are looked at by the controller, since their rule depends on IMEI_CHECK and their refusal has a code of its own.
const idText = (description: string, example: string) =>
  z
    .unknown()
    .optional()
    .meta({ type: 'string', description, examples: [example] })

export const deviceLoginIn = z
  .object({
    imei: idText('IMEI of a cellular unit', '356307042441013'),
    deviceId: idText('Id of any device, instead of imei', 'cold-box-7'),
    secret: z.string().max(MAX_DEVICE_SECRET_LENGTH).nullish().describe('Needed if the device has one, else ignored'),
  })
  .meta({ id: 'DeviceLogin', examples: [{ imei: '356307042441013', secret: 'vJ3l0eGQH1bWq2s7m9c4k8x6' }] })

export const deviceTokenOut = z
  .object({
    accessToken: z.string(),
    tokenType: z.literal('Bearer'),
    expiresIn: z.int().describe('seconds'),
  })
  .meta({ id: 'DeviceToken', examples: [{ accessToken: JWT, tokenType: 'Bearer', expiresIn: 864_000 }] })

export const loginIn = z
  .strictObject({ username: z.string().min(1).max(200), password: anyPassword() })
  .meta({ id: 'Login', examples: [{ username: 'admin', password: 'correct horse battery' }] })

export const whoOut = z
  .object({ username: z.string(), role: roleSchema })
  .meta({ id: 'Who', examples: [{ username: 'admin', role: 'admin' }] })

export const userTokensOut = z
  .object({
    accessToken: z.string(),
    refreshToken: z.string().describe('Good for one exchange at /auth/refresh; used twice, it ends its session'),
    tokenType: z.literal('Bearer'),
    expiresIn: z.int().describe('seconds that the access token lives'),
    user: whoOut,
  })
  .meta({
    id: 'UserTokens',
    examples: [
      {
        accessToken: JWT,
        refreshToken: REFRESH_TOKEN,
        tokenType: 'Bearer',
        expiresIn: 900,
        user: { username: 'admin', role: 'admin' },
      },
    ],
  })

export const refreshIn = z
  .strictObject({ refreshToken: z.string().min(1).max(200) })
  .meta({ id: 'Refresh', examples: [{ refreshToken: REFRESH_TOKEN }] })

export const passwordChangeIn = z
  .strictObject({ current: anyPassword(), new: newPassword() })
  .meta({ id: 'PasswordChange', examples: [{ current: 'correct horse battery', new: 'staple for a longer one' }] })

export const keySetOut = z
  .object({
    keys: z.array(
      z.object({
        kty: z.literal('EC'),
        crv: z.literal('P-256'),
        x: z.string(),
        y: z.string(),
        kid: z.string().describe('Named in the header of the tokens signed with it'),
        alg: z.literal('ES256'),
        use: z.literal('sig'),
      }),
    ),
  })
  .meta({
    id: 'KeySet',
    examples: [
      {
        keys: [
          {
            kty: 'EC',
            crv: 'P-256',
            x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
            y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
            kid: 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs',
            alg: 'ES256',
            use: 'sig',
          },
        ],
      },
    ],
  })

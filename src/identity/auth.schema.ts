import { z } from 'zod'
import { NEW_DEVICE_ID_PATTERN } from '../web/device-id-param.js'
import { textIn } from '../web/schemas.js'
import { MAX_DEVICE_SECRET_LENGTH } from './device-secrets.js'
import { MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH } from './user-name.js'

const JWT = 'eyJhbGciOiJFUzI1NiIsImtpZCI6Ii4uLiJ9.eyJzdWIiOiIuLi4ifQ.MEUCIQ'
const REFRESH_TOKEN = '0b54a4f4-6f6f-4a5e-9d3f-4a4a0c6a6d3e.qv1nJr9Yy0mJ2m0Q8b1u5xJc1rW2l9d8e7f6g5h4i3k'

export const roleSchema = z
  .enum(['viewer', 'operator', 'admin'])
  .describe('viewer reads; operator also works alarms and sends commands; admin also manages devices and users')

/** A password as it must be to be set. */
export const newPassword = () => textIn(MIN_PASSWORD_LENGTH, MAX_PASSWORD_LENGTH)

/** A password as it may be presented. */
const anyPassword = () => textIn(1, MAX_PASSWORD_LENGTH)

const IMEI = { type: 'string', pattern: '^[0-9]{15}$', example: '350123451234567' }
const DEVICE_ID = { type: 'string', pattern: NEW_DEVICE_ID_PATTERN, example: 'cold-box-7' }
const ABSENT = { type: 'string', nullable: true, enum: [null] }

// The ids are looked at by the controller, since their rule depends on IMEI_CHECK and their refusal has a code of its own.
export const deviceLoginIn = z
  .object({
    imei: z
      .unknown()
      .optional()
      .meta({ description: 'IMEI of a cellular unit: 15 digits with a valid check digit (`IMEI_CHECK=any`: more)' }),
    deviceId: z.unknown().optional().meta({ description: 'Id of any device, instead of imei' }),
    secret: textIn(0, MAX_DEVICE_SECRET_LENGTH).nullish().describe('Needed if the device has one, else ignored'),
  })
  .meta({
    id: 'DeviceLogin',
    oneOf: [
      { title: 'By IMEI', required: ['imei'], properties: { imei: IMEI, deviceId: ABSENT } },
      { title: 'By device id', required: ['deviceId'], properties: { deviceId: DEVICE_ID, imei: ABSENT } },
    ],
    examples: [{ imei: '350123451234567' }],
  })

export const deviceTokenOut = z
  .object({
    accessToken: z.string(),
    tokenType: z.literal('Bearer'),
    expiresIn: z.int().min(1).describe('seconds'),
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
    expiresIn: z.int().min(1).describe('seconds that the access token lives'),
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

// Wide enough for a token of another kind, which is refused as such.
export const refreshIn = z
  .strictObject({ refreshToken: textIn(1, 4096) })
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

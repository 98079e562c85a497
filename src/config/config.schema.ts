import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { z } from 'zod'

const DAY_S = 86_400

const flag = (fallback: boolean) =>
  z
    .enum(['true', 'false', '1', '0'], { error: 'must be true or false' })
    .default(fallback ? 'true' : 'false')
    .transform((text) => text === 'true' || text === '1')

const integer = (fallback: number, min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be a whole number from ${min} to ${max}`)
    .default(fallback)

const list = () =>
  z
    .string()
    .default('')
    .transform((text) =>
      text
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== ''),
    )

const isAddressOrCidr = (text: string) => isIP(text) !== 0 || ipaddr.isValidCIDR(text)

const isOrigin = (text: string) => text === '*' || (URL.canParse(text) && new URL(text).origin === text)

const text = () => z.string().min(1)

/** Signing keys as a JSON Web Key Set with private keys, ES256 only; the first one signs. */
const signingKeys = () =>
  z
    .string()
    .refine((value) => {
      try {
        const keys: unknown = JSON.parse(value).keys
        return (
          Array.isArray(keys) &&
          keys.length > 0 &&
          keys.every((key) => key?.kty === 'EC' && key.crv === 'P-256' && key.d)
        )
      } catch {
        return false
      }
    }, 'must be a JSON Web Key Set {"keys":[…]} of private P-256 keys')
    .optional()

/**
 * Every variable that the process reads, with what it means. The order is that of `.env.example`, which is generated from it.
 * Variables of later ways in and of server stores join here when those are built.
 */
export const CONFIG_SCHEMA = z.object({
  HOST: text().default('0.0.0.0').describe('Address to listen on'),
  PORT: integer(3000, 0, 65_535).describe('Port of REST, sockets and Swagger UI; 0 takes a free one'),
  TRUST_PROXY: list()
    .refine((parts) => parts.every(isAddressOrCidr), 'must be addresses or CIDRs, separated by commas')
    .describe('Addresses or CIDRs of reverse proxies whose X-Forwarded-For is believed; empty: none'),
  CORS_ORIGINS: list()
    .refine((parts) => parts.every(isOrigin), 'must be origins such as https://fleet.example.com, or *')
    .describe('Origins whose pages may call the API from a browser; empty: none, *: any'),
  DATA_DIR: text().default('./data').describe('Directory of the embedded stores and keys; made if absent'),
  ADMIN_PASSWORD: z
    .string()
    .min(10, 'must have at least 10 characters')
    .max(200)
    .optional()
    .describe('Password of the first user, admin, when there are no users yet; unset: a random one is printed once'),
  DEVICE_ENROLMENT: z
    .enum(['registered', 'open'], { error: 'must be registered or open' })
    .default('registered')
    .describe(
      'registered: only devices in the registry may log in; open: any valid IMEI is registered on first login (demos)',
    ),
  IMEI_CHECK: z
    .enum(['luhn', 'any'], { error: 'must be luhn or any' })
    .default('luhn')
    .describe('luhn: 15 digits with a valid check digit; any: also 14-15 digits without one and 14 hexadecimal digits'),
  LOGIN_FAILURES_PER_MINUTE: integer(20, 0, 1_000_000).describe(
    'Refused logins per minute from one address, half of it for one id from one address; 0: no limit',
  ),
  DEVICE_EVENTS_PER_SECOND: integer(50, 0, 1_000_000).describe(
    'Events (not positions) per second of one device, bursts of five times as many; 0: no limit',
  ),
  DEVICE_TOKEN_TTL_S: integer(10 * DAY_S, 60, 366 * DAY_S).describe("Life of a device's token in seconds"),
  USER_TOKEN_TTL_S: integer(900, 10, DAY_S).describe("Life of a user's access token in seconds"),
  REFRESH_TOKEN_TTL_S: integer(30 * DAY_S, 60, 366 * DAY_S).describe("Life of a user's refresh token in seconds"),
  SIGNING_KEYS: signingKeys().describe(
    'Private signing keys as a JSON Web Key Set; the first signs, all verify. Unset: made on first start under DATA_DIR/keys',
  ),
  SOCKET_QUERY_TOKEN: flag(false).describe(
    'Also take the token of a socket from ?token= (it then shows in proxy logs)',
  ),
  SOCKET_ALLOW_EIO3: flag(false).describe('Also take clients of socket.io 2'),
  RETENTION_DAYS: integer(90, 0, 36_500).describe(
    'Days that positions, readings, raw frames and quarantine are kept; older records are refused as too_old; 0: for ever',
  ),
  ALARM_MAX_FILES: integer(20, 1, 100).describe('Files that one alarm may name'),
  VIDEO_MAX_BYTES: integer(4_294_967_296, 1, Number.MAX_SAFE_INTEGER).describe(
    'Largest upload in bytes; larger ones are refused with 413',
  ),
  VIDEO_RETENTION_DAYS: integer(0, 0, 36_500).describe(
    'Days that videos are kept, unless an operator protects one; 0: for ever',
  ),
  UPLOAD_EXPIRY_HOURS: integer(72, 1, 8760).describe(
    'Hours after which a resumable upload that nothing came for is dropped',
  ),
  UPLOADS_PER_DEVICE: integer(20, 1, 10_000).describe('Resumable uploads that one device may have under way'),
  FFMPEG_PATH: text()
    .optional()
    .describe('The ffmpeg that makes thumbnails and screenshots; unset: the one that was installed with Milepost'),
  MEDIA_WORKERS: integer(1, 0, 64).describe('Videos that are worked on at the same time; 0: none here'),
  COMMAND_RESULT_TIMEOUT_S: integer(600, 1, 604_800).describe(
    'Seconds that a unit has for the result of a command it accepted, before the command is failed as no_result',
  ),
  AUDIT_RETENTION_DAYS: integer(365, 0, 36_500).describe('Days that the audit log is kept; 0: for ever'),
  DISK_MIN_FREE: integer(536_870_912, 0, Number.MAX_SAFE_INTEGER).describe(
    'Free bytes on the data disk under which every write is refused with disk_full',
  ),
  INGEST_MAX_WAITING: integer(100_000, 1000, 10_000_000).describe(
    'Positions that may wait for the store before overloaded is answered',
  ),
  SHUTDOWN_GRACE_S: integer(10, 1, 600).describe('Seconds that a stop may take to finish what is under way'),
  METRICS_TOKEN: text().optional().describe('Bearer token that guards /metrics; unset: open'),
  LOG_LEVEL: z
    .enum(['error', 'warn', 'log', 'debug'], { error: 'must be error, warn, log or debug' })
    .default('log')
    .describe('Least severe log lines that are written'),
  LOG_FORMAT: z
    .enum(['json', 'pretty', 'auto'], { error: 'must be json, pretty or auto' })
    .default('auto')
    .describe('json: one object a line; pretty: for people; auto: pretty on a terminal'),
})

export type ConfigVariables = z.output<typeof CONFIG_SCHEMA>

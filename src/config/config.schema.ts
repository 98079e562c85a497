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

const urlOf = (...protocols: string[]) =>
  z
    .string()
    .refine(
      (value) => URL.canParse(value) && protocols.includes(new URL(value).protocol.slice(0, -1)),
      `must be a URL that begins with ${protocols.map((protocol) => `${protocol}://`).join(' or ')}`,
    )

/** The parts of a MongoDB address: several hosts are one, so that it is no URL as others are. */
const MONGO_URL = /^mongodb(?:\+srv)?:\/\/[^/]+\/[^/?#]+(?:\?.*)?$/

/** Every variable that the process reads, with what it means. The order is that of `.env.example`, which is generated from it. */
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
  SQL_URL: urlOf('mysql', 'mariadb')
    .refine(
      (value) => URL.canParse(value) && new URL(value).pathname.length > 1,
      'must name the database: mysql://user:password@host:3306/milepost',
    )
    .optional()
    .describe(
      'MySQL or MariaDB for devices, users, alarms, videos, commands, audit: mysql://user:password@host:3306/milepost; unset: SQLite under DATA_DIR',
    ),
  SQL_TLS: z
    .enum(['off', 'on', 'unverified'], { error: 'must be off, on or unverified' })
    .default('off')
    .describe(
      'TLS to the SQL server: off; on: its certificate is verified; unverified: encrypted, but anybody may answer in its place',
    ),
  SQL_TLS_CA: text()
    .optional()
    .describe('File with the certificates (PEM) that the SQL server is verified by; unset: those that Node trusts'),
  SQL_POOL_SIZE: integer(10, 2, 500).describe('Connections to the SQL server'),
  MONGO_URL: z
    .string()
    .regex(MONGO_URL, 'must be mongodb://host:27017/database or mongodb+srv://…/database')
    .optional()
    .describe(
      'MongoDB for positions, quarantine and raw frames: mongodb://user:password@host:27017/milepost?tls=true; unset: SQLite under DATA_DIR',
    ),
  S3_ENDPOINT: urlOf('http', 'https')
    .optional()
    .describe('Address of the S3 server; unset: that of AWS for the region'),
  S3_REGION: text().default('us-east-1').describe('Region of the bucket'),
  S3_BUCKET: text()
    .optional()
    .describe('S3 bucket for videos and pictures, made if absent; unset: files under DATA_DIR'),
  S3_ACCESS_KEY_ID: text()
    .optional()
    .describe("Key of the S3 server; unset: as the AWS tools find it (their variables, profile, the machine's role)"),
  S3_SECRET_ACCESS_KEY: text().optional().describe('Secret of that key'),
  S3_FORCE_PATH_STYLE: flag(false).describe(
    'Bucket in the path of URLs, not in the host: for most servers that are not AWS',
  ),
  S3_PRESIGN: flag(false).describe(
    'Send users to the S3 server for the contents of videos, by addresses that are good for minutes, instead of streaming them',
  ),
  S3_PUBLIC_ENDPOINT: urlOf('http', 'https')
    .optional()
    .describe('Address of the S3 server as units and users reach it, for signed addresses; unset: S3_ENDPOINT'),
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
    'Days that positions, readings, quarantine and raw frames (these never longer than 90) are kept; older records are refused as too_old; 0: for ever',
  ),
  TRACKER_TELTONIKA_PORT: integer(5027, 0, 65_535).describe('Port of Teltonika trackers, TCP and UDP; 0: off'),
  TRACKER_QUECLINK_PORT: integer(5004, 0, 65_535).describe('Port of Queclink trackers, TCP and UDP; 0: off'),
  TRACKER_RUPTELA_PORT: integer(5046, 0, 65_535).describe('Port of Ruptela trackers, TCP and UDP; 0: off'),
  TRACKER_GALILEOSKY_PORT: integer(5034, 0, 65_535).describe('Port of Galileosky trackers, TCP; 0: off'),
  TRACKER_LOGIN_TIMEOUT_S: integer(30, 1, 3600).describe('Seconds that a tracker has to say who it is'),
  TRACKER_FRAME_TIMEOUT_S: integer(60, 1, 3600).describe('Seconds that a tracker has to complete a frame it began'),
  TRACKER_IDLE_TIMEOUT_S: integer(1800, 1, 604_800).describe('Seconds of silence after which a tracker is cut'),
  TRACKER_CONNECTIONS: integer(20_000, 1, 1_000_000).describe('Connections of trackers at a time, of all brands'),
  TRACKER_CONNECTIONS_PER_ADDRESS: integer(0, 0, 1_000_000).describe(
    'Connections of trackers at a time from one address; 0: no limit, since carriers put thousands behind one',
  ),
  RAW_ARCHIVE: z
    .enum(['off', 'trackers', 'all'], { error: 'must be off, trackers or all' })
    .default('trackers')
    .describe(
      'Whose frames are archived as they came and went: nobody’s, those of trackers, or socket messages as well',
    ),
  RAW_ARCHIVE_MAX_BYTES: integer(4_294_967_296, 16_777_216, Number.MAX_SAFE_INTEGER).describe(
    'Most that the archive of raw frames may hold, about; the oldest frames give way to newer ones',
  ),
  SPOOL_MAX_BYTES: integer(1_073_741_824, 1_048_576, Number.MAX_SAFE_INTEGER).describe(
    'Most that units without a resend may leave on the local disk while a store is away',
  ),
  ALARM_MAX_FILES: integer(20, 1, 100).describe('Files that one alarm may name'),
  VIDEO_MAX_BYTES: integer(4_294_967_296, 1, Number.MAX_SAFE_INTEGER).describe(
    'Largest upload in bytes; larger ones are refused with 413',
  ),
  VIDEO_RETENTION_DAYS: integer(0, 0, 36_500).describe(
    'Days that videos are kept, unless an operator protects one; 0: for ever',
  ),
  UPLOAD_EXPIRY_HOURS: integer(72, 1, 8760).describe(
    'Hours after which a resumable or direct upload that nothing came for is dropped',
  ),
  UPLOADS_PER_DEVICE: integer(20, 1, 10_000).describe(
    'Resumable uploads, and as many direct ones, that one device may have under way',
  ),
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

import { errors, type JWTHeaderParameters, jwtVerify } from 'jose'
import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import { AppError } from '../model/app-error.js'
import type { DeviceId } from '../model/device-id.js'
import type { Role } from '../storage/sql/user-records.js'
import type { DeviceDirectory } from './device-directory.js'
import { SIGNING_ALGORITHM } from './signing-key.js'
import type { SigningKeys } from './signing-keys.js'
import { TOKEN_KINDS, type TokenKind } from './tokens.js'
import type { UserSessionDirectory } from './user-session-directory.js'

export interface VerifiedDevice {
  readonly deviceId: DeviceId
  readonly expiresAtMs: number
}

export interface VerifiedUser {
  readonly username: string
  /** When the account was made. */
  readonly accountSinceMs: number
  readonly role: Role
  readonly sessionId: string
  readonly expiresAtMs: number
}

/** What a genuine token is refused with when its device or session is no longer what it was issued for. */
export type OutdatedCode = 'token_invalid' | 'login_refused'

/** Ours have under 500 characters. */
const MAX_TOKEN_LENGTH = 2048
/** About 30 MB when full. */
const MAX_REMEMBERED = 50_000

const CLAIMS = {
  device: z.object({ sub: z.string(), gen: z.string(), iat: z.number(), exp: z.number() }),
  user: z.object({ sub: z.string(), sid: z.string(), iat: z.number(), exp: z.number() }),
  link: z.object({ sub: z.string(), iat: z.number(), exp: z.number() }),
} as const satisfies Record<TokenKind, z.ZodType>

type Claims<K extends TokenKind> = z.output<(typeof CLAIMS)[K]>

/** What a good signature proved once and for all; everything that may change is looked at on every use. */
interface Proven {
  readonly kind: TokenKind
  readonly kid: string
  readonly expiresAtMs: number
  readonly claims: unknown
}

/**
 * Checks tokens, for HTTP and handshakes alike. RFC 8725 is the checklist: one algorithm, keys chosen by us and not by the
 * token, own `typ` and `aud` for each kind, every claim demanded. A signature costs about 100 µs and is checked once per
 * token; expiry, key, generation, status, session and role are checked from memory on every use.
 */
export class TokenVerifier {
  private readonly proven = new LRUCache<string, Proven>({ max: MAX_REMEMBERED })

  constructor(
    private readonly keys: SigningKeys,
    private readonly devices: DeviceDirectory,
    private readonly sessions: UserSessionDirectory,
    private readonly now: () => number = Date.now,
  ) {}

  /**
   * @param outdated a handshake gives `login_refused`: the unit must log in again, a new try with this token is of no use
   * @throws AppError `token_missing` | `token_invalid` | `token_expired` | the code given as `outdated` (device unknown,
   * disabled, or of another generation) | `store_unavailable`
   */
  async verifyDevice(token: string | undefined, outdated: OutdatedCode = 'token_invalid'): Promise<VerifiedDevice> {
    const { claims, expiresAtMs } = await this.prove('device', token)
    const device = await this.devices.find(claims.sub)
    if (device === undefined || device.status !== 'active' || device.generation !== claims.gen) {
      throw new AppError(outdated, 'The token is of no use any more: log in again')
    }
    return { deviceId: device.deviceId, expiresAtMs }
  }

  /**
   * @param outdated as for devices
   * @throws AppError `token_missing` | `token_invalid` | `token_expired` | the code given as `outdated` (session ended, user
   * disabled or deleted) | `store_unavailable`
   */
  async verifyUser(token: string | undefined, outdated: OutdatedCode = 'token_invalid'): Promise<VerifiedUser> {
    const { claims, expiresAtMs } = await this.prove('user', token)
    const session = await this.sessions.find(claims.sid)
    if (session === undefined || session.username !== claims.sub) {
      throw new AppError(outdated, 'The session has ended: log in again')
    }
    const { username, accountSinceMs, role, sessionId } = session
    return { username, accountSinceMs, role, sessionId, expiresAtMs }
  }

  /**
   * @param path that is asked for
   * @throws AppError `token_missing` | `token_invalid` (also a link to another path) | `token_expired`
   */
  async verifyLink(token: string | undefined, path: string): Promise<void> {
    const { claims } = await this.prove('link', token)
    if (claims.sub !== path) throw new AppError('token_invalid', 'The link is to something else')
  }

  private async prove<K extends TokenKind>(
    kind: K,
    token: string | undefined,
  ): Promise<{ claims: Claims<K>; expiresAtMs: number }> {
    if (token === undefined || token === '') throw new AppError('token_missing')
    const known = this.proven.get(token)
    const proven = known ?? (await this.verifySignature(kind, token))
    if (proven.kind !== kind || this.keys.find(proven.kid) === undefined) throw new AppError('token_invalid')
    if (proven.expiresAtMs <= this.now()) {
      this.proven.delete(token)
      throw new AppError('token_expired')
    }
    if (known === undefined) this.proven.set(token, proven)
    return { claims: proven.claims as Claims<K>, expiresAtMs: proven.expiresAtMs }
  }

  private async verifySignature(kind: TokenKind, token: string): Promise<Proven> {
    if (token.length > MAX_TOKEN_LENGTH) throw new AppError('token_invalid')
    const { audience, type } = TOKEN_KINDS[kind]
    try {
      const { payload, protectedHeader } = await jwtVerify(token, (header) => this.keyOf(header), {
        algorithms: [SIGNING_ALGORITHM],
        audience,
        typ: type,
        currentDate: new Date(this.now()),
      })
      const claims = CLAIMS[kind].parse(payload)
      return { kind, kid: protectedHeader.kid ?? '', expiresAtMs: claims.exp * 1000, claims }
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw new AppError('token_expired')
      if (error instanceof errors.JOSEError || error instanceof z.ZodError) throw new AppError('token_invalid')
      throw error
    }
  }

  /** Only by our own key ids: a key that a token brings along or points to is never looked at. */
  private keyOf({ kid }: JWTHeaderParameters) {
    const key = kid === undefined ? undefined : this.keys.find(kid)
    if (key === undefined) throw new errors.JWSInvalid('the key is not one of ours')
    return key.publicKey
  }
}

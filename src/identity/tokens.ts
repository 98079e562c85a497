import { SignJWT } from 'jose'
import type { DeviceId } from '../model/device-id.js'
import { SIGNING_ALGORITHM } from './signing-key.js'
import type { SigningKeys } from './signing-keys.js'

/** What tells the kinds of tokens apart, twice over: for whom they are (`aud`) and what they are (`typ` of the header). */
export const TOKEN_KINDS = {
  device: { audience: 'milepost:devices', type: 'device+jwt' },
  user: { audience: 'milepost:users', type: 'user+jwt' },
  link: { audience: 'milepost:links', type: 'link+jwt' },
} as const

export type TokenKind = keyof typeof TOKEN_KINDS

/** How long a signed link opens what it is for. */
export const LINK_TTL_S = 600

/** A signed token and how long it lives. */
export interface IssuedToken {
  readonly token: string
  readonly expiresInS: number
}

/** Signs access tokens with the current key. */
export class TokenIssuer {
  constructor(
    private readonly keys: SigningKeys,
    private readonly ttl: { readonly deviceS: number; readonly userS: number },
    private readonly now: () => number = Date.now,
  ) {}

  /** A token of a device, good for as long as the device's generation lasts. */
  issueDevice(device: { readonly deviceId: DeviceId; readonly generation: string }): Promise<IssuedToken> {
    return this.issue('device', device.deviceId, { gen: device.generation }, this.ttl.deviceS)
  }

  /** An access token of a user's session; it never outlives the session. */
  issueUser(session: { readonly username: string; readonly sessionId: string; readonly expiresAtMs: number }) {
    const leftS = Math.max(1, Math.floor((session.expiresAtMs - this.now()) / 1000))
    return this.issue('user', session.username, { sid: session.sessionId }, Math.min(this.ttl.userS, leftS))
  }

  /**
   * A token that opens one path to whoever has it, for what cannot send a header.
   * @returns the token and the moment from which it is of no use
   */
  async issueLink(path: string): Promise<{ readonly token: string; readonly expiresAtMs: number }> {
    const { token, issuedAtS } = await this.issue('link', path, {}, LINK_TTL_S)
    return { token, expiresAtMs: (issuedAtS + LINK_TTL_S) * 1000 }
  }

  private async issue(
    kind: TokenKind,
    subject: string,
    claims: Readonly<Record<string, string>>,
    expiresInS: number,
  ): Promise<IssuedToken & { readonly issuedAtS: number }> {
    const { kid, privateKey } = this.keys.current
    const { audience, type } = TOKEN_KINDS[kind]
    const issuedAtS = Math.floor(this.now() / 1000)
    const token = await new SignJWT({ ...claims })
      .setProtectedHeader({ alg: SIGNING_ALGORITHM, kid, typ: type })
      .setSubject(subject)
      .setAudience(audience)
      .setIssuedAt(issuedAtS)
      .setExpirationTime(issuedAtS + expiresInS)
      .sign(privateKey)
    return { token, expiresInS, issuedAtS }
  }
}

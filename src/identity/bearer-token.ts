const BEARER = /^Bearer(?: +(.*))?$/i

/**
 * The token of an `Authorization: Bearer` header (RFC 6750; the scheme in any case).
 * @returns undefined: no header, another scheme, or nothing after it; anything else is for the verifier to judge
 */
export function bearerTokenOf(header: string | undefined): string | undefined {
  const token = BEARER.exec(header?.trim() ?? '')?.[1]?.trim()
  return token === '' ? undefined : token
}

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** A given secret has at least so many characters; that is why a plain hash is enough for it. */
export const MIN_DEVICE_SECRET_LENGTH = 20
export const MAX_DEVICE_SECRET_LENGTH = 200

const NOBODYS_HASH = Buffer.alloc(32)

/** A new random secret: 32 characters of `A–Z a–z 0–9 - _`, 192 bits. */
export function generateDeviceSecret(): string {
  return randomBytes(24).toString('base64url')
}

/**
 * The form in which a secret is kept: SHA-256, lower-case hex. Not argon2: secrets are random or long, and a reconnect storm
 * of thousands of units must not meet a slow hash.
 */
export function hashDeviceSecret(secret: string): string {
  return createHash('sha256').update(secret, 'utf8').digest('hex')
}

/**
 * Whether the secret is the one whose hash is kept. Takes the same time whether they differ early, late, or there is no hash.
 * @param secretHash null: there is none, so nothing matches
 */
export function isDeviceSecret(secret: string, secretHash: string | null): boolean {
  const given = createHash('sha256').update(secret, 'utf8').digest()
  const kept = secretHash === null ? NOBODYS_HASH : Buffer.from(secretHash, 'hex')
  return timingSafeEqual(given, kept.length === given.length ? kept : NOBODYS_HASH) && secretHash !== null
}

/** A new token generation of a device: storing it in place of the old one ends all tokens issued before. */
export function newGeneration(): string {
  return randomBytes(12).toString('base64url')
}

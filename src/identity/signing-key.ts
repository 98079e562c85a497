import {
  CompactSign,
  type CryptoKey,
  calculateJwkThumbprint,
  compactVerify,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
} from 'jose'

/** The one algorithm of our tokens; no other is ever accepted. */
export const SIGNING_ALGORITHM = 'ES256'

/** A key pair that signs and verifies tokens. */
export interface SigningKey {
  /** Names the key in the header of its tokens; by default its RFC 7638 thumbprint. */
  readonly kid: string
  readonly createdAtMs: number
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
  /** What `/.well-known/jwks.json` shows. */
  readonly publicJwk: JWK
}

/** A new private key as a JSON Web Key with its `kid`. */
export async function generateSigningJwk(): Promise<JWK> {
  const { privateKey } = await generateKeyPair(SIGNING_ALGORITHM, { extractable: true })
  const jwk = await exportJWK(privateKey)
  return { ...jwk, kid: await calculateJwkThumbprint(jwk), alg: SIGNING_ALGORITHM, use: 'sig' }
}

/**
 * Makes a usable key of a private P-256 JSON Web Key, proving that its halves belong together.
 * @throws Error when it is none
 */
export async function importSigningKey(jwk: JWK, createdAtMs: number): Promise<SigningKey> {
  const { kty, crv, x, y, d } = jwk
  if (kty !== 'EC' || crv !== 'P-256' || d === undefined) throw new Error('not a private P-256 key')
  const kid = jwk.kid ?? (await calculateJwkThumbprint({ kty, crv, x, y }))
  const half = { kty, crv, x, y } as JWK
  const privateKey = await importHalf({ ...half, d } as JWK)
  const publicKey = await importHalf(half)
  const probe = await new CompactSign(new Uint8Array(8)).setProtectedHeader({ alg: SIGNING_ALGORITHM }).sign(privateKey)
  await compactVerify(probe, publicKey, { algorithms: [SIGNING_ALGORITHM] })
  return {
    kid,
    createdAtMs,
    privateKey,
    publicKey,
    publicJwk: { ...half, kid, alg: SIGNING_ALGORITHM, use: 'sig' },
  }
}

async function importHalf(jwk: JWK): Promise<CryptoKey> {
  const key = await importJWK(jwk, SIGNING_ALGORITHM)
  if (key instanceof Uint8Array) throw new Error('not an elliptic curve key')
  return key
}

/** What every answer carries; TLS and its headers are the proxy's. */
const EVERYWHERE: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
}

/** JSON is no page: nothing in it may load or run anything. */
const FOR_DATA: Readonly<Record<string, string>> = {
  ...EVERYWHERE,
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
}

/** Swagger UI runs its own scripts, styles itself in place and calls this server. */
const FOR_DOCS: Readonly<Record<string, string>> = {
  ...EVERYWHERE,
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
}

const DOCS = /^\/docs(?:[/?]|$)/

/** The security headers of the answer to a request; a route may set its own instead. */
export function securityHeadersOf(url: string): Readonly<Record<string, string>> {
  return DOCS.test(url) ? FOR_DOCS : FOR_DATA
}

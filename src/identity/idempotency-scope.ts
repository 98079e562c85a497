import type { FastifyRequest } from 'fastify'

const scopes = new WeakMap<FastifyRequest, string>()

/** The key is this request's now. */
export function setIdempotencyScope(request: FastifyRequest, scopeHash: string): void {
  scopes.set(request, scopeHash)
}

/**
 * What the `Idempotency-Key` of a request is stored under, and the same for each repeat: for what must not be made twice even when
 * the server is killed between making it and keeping the answer, which gives the key back.
 * @returns undefined: the request has none
 */
export function idempotencyScopeOf(request: FastifyRequest): string | undefined {
  return scopes.get(request)
}

import ipaddr from 'ipaddr.js'

const MAPPED_PREFIX = /^::ffff:(?=\d+\.)/i

/**
 * The address a request comes from: behind a trusted proxy the one that the proxy names. IPv4 in its own spelling, also
 * when it came mapped into IPv6.
 * @param request `ip` is Fastify's, which heeds TRUST_PROXY
 */
export function clientAddressOf(request: { readonly ip: string }): string {
  return request.ip.replace(MAPPED_PREFIX, '')
}

/**
 * What limits count an address by: an IPv4 address itself, an IPv6 address by its /64, since one client has all of that.
 */
export function addressKeyOf(address: string): string {
  if (!ipaddr.isValid(address)) return address
  const parsed = ipaddr.process(address)
  if (parsed.kind() === 'ipv4') return parsed.toString()
  const bytes = parsed.toByteArray()
  return `${new ipaddr.IPv6([...bytes.slice(0, 8), 0, 0, 0, 0, 0, 0, 0, 0]).toString()}/64`
}

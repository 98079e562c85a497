import type { UnsupportedCommand } from './tracker-codec.js'

/** @returns why the text cannot be sent; undefined: it can */
export function findTextObstacle(text: string, longest: number): UnsupportedCommand | undefined {
  if (text.length > longest) return { unsupported: `a text has at most ${longest} characters` }
  if (!/^[\x20-\x7e]+$/.test(text)) return { unsupported: 'a text has only printable characters of ASCII' }
  return undefined
}

/**
 * The address of a server between other words of a command: a wrong one may take the unit away for ever.
 * @returns why it cannot be sent; undefined: it can
 */
export function findHostObstacle(host: string, longest: number): UnsupportedCommand | undefined {
  if (host.length > longest) return { unsupported: `a host has at most ${longest} characters` }
  if (!/^[A-Za-z0-9.-]+$/.test(host)) return { unsupported: 'a host is a name or an address of IPv4' }
  return undefined
}

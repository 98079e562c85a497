import dns from 'node:dns'

/** A name that no server has. */
export const OTHER_NAME = 'other.milepost.test'

/**
 * Lets {@link OTHER_NAME} lead to a host, as a name server that was spoiled would, in this process.
 * @returns ends that
 */
export function misleadTo(host: string): () => void {
  const { lookup } = dns
  const misled = (name: string, ...rest: never[]) =>
    Reflect.apply(lookup, dns, [name === OTHER_NAME ? host : name, ...rest])
  dns.lookup = Object.assign(misled, lookup) as typeof lookup
  return () => {
    dns.lookup = lookup
  }
}

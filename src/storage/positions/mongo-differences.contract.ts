import type { Difference } from './position-samples.contract.js'

/**
 * What the server of MONGO_URL does differently. mongo-java-server, the second opinion, orders by UTF-16, and looks at every document for
 * conditions that are more than a key.
 */
export function mongoDifferences(): readonly Difference[] {
  const { MONGO_URL, MONGO_JAVA_URL } = process.env
  return MONGO_JAVA_URL !== undefined && MONGO_URL === MONGO_JAVA_URL ? ['byteOrder', 'scale'] : []
}

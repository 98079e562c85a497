import { runsOnServers } from '../stores/test-servers.js'

/**
 * A test that means nothing when the stores are servers; there it is left out, and the run says so at its begin, with the reason.
 * @param reason why; a literal, like the name, since both are read from the file
 */
export function itEmbedded(reason: string, name: string, test: () => Promise<void>, timeoutMs?: number): void {
  assertReason(reason)
  if (!runsOnServers()) it(name, test, timeoutMs)
}

/** The same for several. */
export function describeEmbedded(reason: string, name: string, suite: () => void): void {
  assertReason(reason)
  if (!runsOnServers()) describe(name, suite)
}

function assertReason(reason: string): void {
  if (reason === '') throw new Error('say why it means nothing on servers')
}

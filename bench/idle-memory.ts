import type { BenchOptions } from './bench-options.js'
import { count, type Finding } from './finding.js'
import { LightClient } from './light-client.js'
import { Milepost } from './milepost.js'
import { cpuSeconds, settledBytes } from './process-memory.js'

const MOST_KIB = 60
const SETTLE_MS = 5000
const HANDSHAKES_AT_ONCE = 100

/**
 * What an idle authenticated socket costs: the memory of the server with so many of them above that of the same server, which
 * knows the same devices, before they came. On the way the rates of logins and of handshakes with tokens.
 */
export async function benchIdleMemory({ sockets }: BenchOptions): Promise<Finding[]> {
  const enrolling = await Milepost.start()
  const loginsStartedMs = performance.now()
  const tokens = await enrolling.loginUnits(sockets)
  const firstLoginsPerSecond = ratePerSecond(sockets, loginsStartedMs)
  const againStartedMs = performance.now()
  await enrolling.loginUnits(sockets)
  const loginsPerSecond = ratePerSecond(sockets, againStartedMs)
  const server = await enrolling.restart()
  const idleBytes = await settledBytes(server.pid, SETTLE_MS)
  const cpuBefore = cpuSeconds(server.pid)
  const startedMs = performance.now()
  const clients = await connectAll(server.url, tokens)
  const handshakesPerSecond = ratePerSecond(sockets, startedMs)
  const cpuMsPerHandshake = ((cpuSeconds(server.pid) - cpuBefore) * 1000) / sockets
  const connectedBytes = await settledBytes(server.pid, SETTLE_MS)
  for (const client of clients) client.close()
  await server.stop()
  const kiB = (connectedBytes - idleBytes) / sockets / 1024
  return [
    {
      title: `memory of an idle socket, ${count(sockets)} sockets`,
      figure: `${kiB.toFixed(1)} KiB`,
      target: `≤ ${MOST_KIB} KB`,
      isMet: kiB * 1.024 <= MOST_KIB,
      details: { idleBytes, connectedBytes },
    },
    {
      title: 'login storm: handshakes with tokens',
      figure: `${count(handshakesPerSecond)} /s`,
      details: { handshakesPerSecond, handshakesAtOnce: HANDSHAKES_AT_ONCE, cpuMsPerHandshake },
    },
    {
      title: 'logins of known devices / with enrolment',
      figure: `${count(loginsPerSecond)} / ${count(firstLoginsPerSecond)} /s`,
      details: { loginsPerSecond, firstLoginsPerSecond },
    },
  ]
}

function ratePerSecond(events: number, startedMs: number): number {
  return (events / (performance.now() - startedMs)) * 1000
}

async function connectAll(url: string, tokens: readonly string[]): Promise<LightClient[]> {
  const clients: LightClient[] = []
  const waiting = tokens.values()
  const connectSome = async () => {
    for (const token of waiting) clients.push(await LightClient.connect(url, token))
  }
  await Promise.all(Array.from({ length: HANDSHAKES_AT_ONCE }, connectSome))
  return clients
}

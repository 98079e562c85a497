import { fileURLToPath } from 'node:url'
import type { BenchOptions } from './bench-options.js'
import { startChild } from './child-process.js'
import { compare, type Finding, rateFinding } from './finding.js'
import { Fleet } from './fleet.js'
import { runHttpClosedLoop } from './http-closed-loop.js'
import { LightHttpClient } from './light-http-client.js'
import { Milepost } from './milepost.js'
import { verifyStored } from './verification.js'

const PATH = '/api/v1/locations'
const ONE_STORED = '{"accepted":1,"duplicates":0,"rejected":[]}'
const isOneStored = (status: number, body: string) => status === 200 && body === ONE_STORED

/** `POST /locations` with one position against a bare Fastify that parses and answers. */
export async function benchHttp(options: BenchOptions): Promise<Finding[]> {
  const server = await Milepost.start(options.profileDirectory)
  const echo = await startChild([fileURLToPath(new URL('./http-echo.js', import.meta.url))], {})
  const tokens = await server.loginUnits(options.units)
  const connectTo = (url: string) => Promise.all(tokens.map((token) => LightHttpClient.connect(url, PATH, token)))
  const clients = await connectTo(server.url)
  const echoClients = await connectTo(echo.url)
  const fleet = new Fleet(options.units)
  const echoFleet = new Fleet(options.units)
  const postsPerSecond = async (loaded: readonly LightHttpClient[], senders: Fleet) => {
    const next = (unit: number) => senders.nextPosition(unit)
    return (await runHttpClosedLoop(loaded, { ...options, next, isExpected: isOneStored })).eventsPerSecond
  }
  const comparison = await compare(
    options.repeats,
    () => postsPerSecond(echoClients, echoFleet),
    () => postsPerSecond(clients, fleet),
  )
  const stored = await verifyStored(server, fleet)
  for (const client of [...clients, ...echoClients]) client.close()
  await Promise.all([server.stop(), echo.stop()])
  return [
    rateFinding(`POST /locations, ${options.units} connections`, 'answered/s', comparison, { details: { stored } }),
  ]
}

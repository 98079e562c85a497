import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { BenchOptions } from './bench-options.js'
import { startChild } from './child-process.js'
import { settled } from './closed-loop.js'
import { compare, type Finding, rateFinding } from './finding.js'
import { Fleet } from './fleet.js'
import { LightHttpClient } from './light-http-client.js'
import { Milepost } from './milepost.js'
import { verifyStored } from './verification.js'

const PATH = '/api/v1/locations'
const ONE_STORED = '{"accepted":1,"duplicates":0,"rejected":[]}'

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
  const comparison = await compare(
    options.repeats,
    () => postsPerSecond(echoClients, echoFleet, options),
    () => postsPerSecond(clients, fleet, options),
  )
  const stored = await verifyStored(server, fleet)
  for (const client of [...clients, ...echoClients]) client.close()
  await Promise.all([server.stop(), echo.stop()])
  return [
    rateFinding(`POST /locations, ${options.units} connections`, 'answered/s', comparison, { details: { stored } }),
  ]
}

/** Each unit posts its next position when the last one was answered. */
async function postsPerSecond(
  clients: readonly LightHttpClient[],
  fleet: Fleet,
  { warmUpMs, windowMs }: BenchOptions,
): Promise<number> {
  let answered = 0
  let underWay = 0
  let isSending = true
  let failure: string | undefined
  const post = (client: LightHttpClient, unit: number) => {
    underWay += 1
    client.post(fleet.nextPosition(unit), (status, body) => {
      underWay -= 1
      answered += 1
      if (status !== 200 || body !== ONE_STORED) failure ??= `${status} ${body}`
      if (isSending) post(client, unit)
    })
  }
  clients.forEach(post)
  await sleep(warmUpMs)
  const before = answered
  const startedMs = performance.now()
  await sleep(windowMs)
  const rate = ((answered - before) / (performance.now() - startedMs)) * 1000
  isSending = false
  await settled(() => underWay === 0)
  if (failure !== undefined) throw new Error(`the load met: ${failure}`)
  if (underWay > 0) throw new Error(`${underWay} requests were never answered`)
  return rate
}

import { removeTemporaryDirectories } from '../support/temporary-directory.js'
import { FaultyProxy } from './faulty-proxy.js'
import { Load } from './load.js'
import { DETAILS, OutageServer } from './outage-server.js'
import { describeOutage, type Service, useServices } from './services.js'
import { tell, tooSlow, type Watched, watch } from './watched-phase.js'

const SERVICES: readonly Service[] = ['sql', 'mongo', 's3']
const URLS = { sql: 'SQL_URL', mongo: 'MONGO_URL', s3: 'S3_ENDPOINT' } as const
const RECOVERED_MS = 15_000
const MEMORY_MIB = 700

describeOutage('a network between the application and its stores', () => {
  let server: OutageServer
  let load: Load
  let before: Watched
  const proxies = {} as Record<Service, FaultyProxy>

  beforeAll(async () => {
    useServices()
    for (const service of SERVICES) proxies[service] = await FaultyProxy.to(hostOf(process.env[URLS[service]] ?? ''))
    server = await OutageServer.start(SERVICES, (variables) => {
      for (const service of SERVICES) {
        const url = variables[URLS[service]] ?? ''
        variables[URLS[service]] = url.replace(hostOf(url), proxies[service].address)
      }
      return variables
    })
    load = await Load.start(server.process.api)
    before = await watch(server, load, 3000)
    tell('before', before)
  }, 60_000)
  afterEach(async () => {
    for (const service of SERVICES) await proxies[service].heal()
    process.stdout.write(`ready after ${await server.untilAway([], RECOVERED_MS)} ms\n`)
    await watch(server, load, 2000)
  }, 60_000)
  afterAll(async () => {
    await load.stop()
    const code = await server.stop()
    await server.remove()
    expect(code).toBe(0)
    for (const service of SERVICES) await proxies[service].remove()
    await removeTemporaryDirectories()
  }, 60_000)

  it.each(SERVICES)(
    'that swallows all bytes to and from %s: every event is answered, readiness tells',
    async (service) => {
      await proxies[service].spoil({ type: 'timeout', attributes: { timeout: 0 } })
      const knownMs = await server.untilAway(DETAILS[service], 8000)
      const seen = await watch(server, load, 12_000)
      tell(`${service} swallowed, told after ${knownMs} ms`, seen)
      expect(tooSlow(seen)).toEqual([])
      expect(seen.slowestLiveMs).toBeLessThan(1000 + 2 * before.slowestLiveMs)
      expect(seen.mostMemoryMib).toBeLessThan(MEMORY_MIB)
      expect(load.calls.odd).toEqual([])
    },
    60_000,
  )

  it.each(SERVICES)(
    'that resets every connection to %s: every event is answered',
    async (service) => {
      await proxies[service].spoil({ type: 'reset_peer', attributes: { timeout: 50 } })
      const seen = await watch(server, load, 5000)
      tell(`${service} reset`, seen)
      expect(tooSlow(seen)).toEqual([])
      expect(seen.slowestLiveMs).toBeLessThan(1000 + 2 * before.slowestLiveMs)
      expect(load.calls.odd).toEqual([])
    },
    60_000,
  )

  it('that takes 500 ms to every store slows acknowledgements and not the process, and commits are shared', async () => {
    for (const service of SERVICES)
      await proxies[service].spoil({ type: 'latency', attributes: { latency: 500 }, streams: ['downstream'] })
    // An alarm is some ten statements one after the other, 5 s; of those that come meanwhile the resend is answered.
    const seen = await watch(server, load, 15_000)
    tell('500 ms', seen)
    expect(seen.slowestLiveMs).toBeLessThan(500 + 2 * before.slowestLiveMs)
    // One commit after the other, as many as fit into 15 s, would be 30 at most.
    expect(seen.calls['positions by socket']?.done).toBeGreaterThan(100)
    for (const [kind, { done }] of Object.entries(seen.calls)) expect([kind, done > 0]).toEqual([kind, true])
    expect(tooSlow(seen)).toEqual([])
    expect(load.calls.odd).toEqual([])
  }, 60_000)

  it('that lets 30 KB/s through leaves the process quick and every event answered', async () => {
    for (const service of SERVICES) await proxies[service].spoil({ type: 'bandwidth', attributes: { rate: 30 } })
    const seen = await watch(server, load, 8000)
    tell('30 KB/s', seen)
    expect(seen.slowestLiveMs).toBeLessThan(500 + 2 * before.slowestLiveMs)
    expect(tooSlow(seen)).toEqual([])
    expect(load.calls.odd).toEqual([])
  }, 60_000)

  it('has lost and doubled nothing in the end', async () => {
    const result = await load.finish()
    process.stdout.write(`${JSON.stringify(result)}\n`)
    expect(result).toMatchObject({ lost: 0, doubled: 0, invented: 0, altered: 0, odd: [] })
  }, 240_000)
})

/** Host and port of a URL, also of one that names several. */
function hostOf(url: string): string {
  return /^\w+:\/\/(?:[^@/]*@)?([^/?]+)/.exec(url)?.[1] ?? ''
}

import { removeTemporaryDirectories } from '../support/temporary-directory.js'
import { Load } from './load.js'
import { DETAILS, OutageServer } from './outage-server.js'
import { describeOutage, kill, type Service, start, stop, useServices } from './services.js'
import { tell, tooSlow, watch } from './watched-phase.js'
import { expectGoesOn, expectNothingLost, GO_ON, REFUSED } from './what-goes-on.js'

/** Longer than any event may take. */
const OUTAGE_MS = 12_000
/** Within this after its return everything works again. */
const RECOVERED_MS = 10_000
const MEMORY_MIB = 700

const ENDS = { kill, stop } as const

describeOutage('a store that goes away under load and returns', () => {
  let server: OutageServer | undefined
  let load: Load | undefined
  const services: readonly Service[] = ['sql', 'mongo', 's3']

  beforeAll(useServices)
  afterEach(async () => {
    await load?.stop()
    load = undefined
    for (const service of services) await start(service)
    await server?.remove()
    server = undefined
  }, 120_000)
  afterAll(removeTemporaryDirectories)

  const cases = services.flatMap((service) => (['kill', 'stop'] as const).map((end) => [service, end] as const))

  it.each(cases)(
    '%s, by %s: nothing acknowledged is lost or doubled, every event is answered, and it recovers by itself',
    async (service, end) => {
      server = await OutageServer.start(services)
      const { pid } = server.process
      load = await Load.start(server.process.api)
      const before = await watch(server, load, 2000)
      tell(`${service} ${end}, before`, before)

      await ENDS[end](service)
      const knownMs = await server.untilAway(DETAILS[service], 5000)
      const { status, details } = await server.ready()
      expect(status).toBe(503)
      for (const name of DETAILS[service]) expect(details[name]?.message).toMatch(/\w{3}/)
      process.stdout.write(`${service} ${end}: told after ${knownMs} ms: ${JSON.stringify(details)}\n`)
      const away = await watch(server, load, OUTAGE_MS)
      tell(`${service} ${end}, away`, away)

      await start(service)
      const backMs = await server.untilAway([], RECOVERED_MS)
      process.stdout.write(`${service} ${end}: ready ${backMs} ms after its return\n`)
      tell(`${service} ${end}, returning`, await watch(server, load, 2000))
      const after = await watch(server, load, 3000)
      tell(`${service} ${end}, after`, after)
      const result = await load.finish()
      process.stdout.write(`${service} ${end}: ${JSON.stringify(result)}\n`)

      expectNothingLost(result)
      for (const kind of Object.keys(before.calls)) {
        expect([kind, (before.calls[kind]?.done ?? 0) > 0]).toEqual([kind, true])
        expect([kind, after.calls[kind]?.refused ?? 0, (after.calls[kind]?.done ?? 0) > 0]).toEqual([kind, 0, true])
      }
      for (const kind of GO_ON[service]) expectGoesOn(kind, away)
      for (const kind of REFUSED[service]) expect([kind, (away.calls[kind]?.refused ?? 0) > 0]).toEqual([kind, true])
      expect(tooSlow(away)).toEqual([])
      expect(away.slowestLiveMs).toBeLessThan(1000 + 2 * before.slowestLiveMs)
      expect(away.mostMemoryMib).toBeLessThan(MEMORY_MIB)
      expect(server.process.pid).toBe(pid)
      expect(await server.stop()).toBe(0)
    },
    180_000,
  )
})

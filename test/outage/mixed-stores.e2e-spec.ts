import { runToEnd } from '../support/server-process.js'
import { removeTemporaryDirectories, temporaryDirectory } from '../support/temporary-directory.js'
import { Load } from './load.js'
import type { FaredByKind } from './measured-calls.js'
import { DETAILS, OutageServer } from './outage-server.js'
import { describeOutage, kill, type Service, start, useServices } from './services.js'
import { tell, tooSlow, type Watched, watch, watchDuring, watchUntil } from './watched-phase.js'
import { expectGoesOn, expectNothingLost, GO_ON, KINDS, REFUSED } from './what-goes-on.js'

const SERVICES: readonly Service[] = ['sql', 'mongo', 's3']
/** Of two the first goes first and returns first, so that each is away alone too. */
const ON_SERVERS: readonly (readonly Service[])[] = [
  ['sql'],
  ['mongo'],
  ['s3'],
  ['sql', 'mongo'],
  ['sql', 's3'],
  ['mongo', 's3'],
]
const LEAST_MS = 2000
/** Longer than any event may take. */
const MOST_MS = 12_000
const KNOWN_MS = 5000
const RECOVERED_MS = 10_000
const MEMORY_MIB = 700

interface Change {
  readonly act: typeof kill | typeof start
  readonly service: Service
  /** What is away from then on. */
  readonly away: readonly Service[]
}

/** What was seen while some servers were away. */
interface Phase {
  readonly away: readonly Service[]
  readonly seen: Watched
}

describeOutage('some stores on servers while the others are embedded', () => {
  let server: OutageServer | undefined
  let load: Load | undefined

  beforeAll(useServices)
  afterEach(async () => {
    await load?.stop()
    load = undefined
    for (const service of SERVICES) await start(service)
    await server?.remove()
    server = undefined
  }, 120_000)
  afterAll(removeTemporaryDirectories)

  it.each(ON_SERVERS.map((services) => [services.join(' and '), services] as const))(
    '%s killed under load: nothing is lost or doubled, every event is answered, readiness names only what is away, and all recovers',
    async (name, services) => {
      server = await OutageServer.start(services)
      expect(await server.away()).toEqual([])
      load = await Load.start(server.process.api)
      const before = await watchUntil(server, load, asFarAs([]))
      tell(`${name}, before`, before)
      const changes: Watched[] = []
      const phases: Phase[] = []
      for (const { act, service, away } of changesOf(services)) {
        changes.push(await change(server, load, { act, service, away }))
        // What began before a return may still be refused.
        if (act === start) changes.push(await watch(server, load, LEAST_MS))
        const seen = await watchUntil(server, load, asFarAs(away))
        tell(`${name}, ${away.length === 0 ? 'all there again' : `without ${away.join(' and ')}`}`, seen)
        phases.push({ away, seen })
      }
      const result = await load.finish()
      process.stdout.write(`${name}: ${JSON.stringify(result)}\n`)

      expectNothingLost(result)
      expect(tooSlow({ calls: load.calls.inAll })).toEqual([])
      for (const { away, seen } of [{ away: [], seen: before }, ...phases]) {
        for (const kind of goOnWithout(away)) expectGoesOn(kind, seen)
        for (const kind of refusedWithout(away))
          expect([kind, (seen.calls[kind]?.refused ?? 0) > 0]).toEqual([kind, true])
      }
      for (const { slowestLiveMs, mostMemoryMib } of [...changes, ...phases.map(({ seen }) => seen)]) {
        expect(slowestLiveMs).toBeLessThan(1000 + 2 * before.slowestLiveMs)
        expect(mostMemoryMib).toBeLessThan(MEMORY_MIB)
      }
      expect(await server.stop()).toBe(0)
    },
    180_000,
  )
})

/** One server after the other goes, and in the same order returns. */
function changesOf(services: readonly Service[]): Change[] {
  return [
    ...services.map((service, n) => ({ act: kill, service, away: services.slice(0, n + 1) })),
    ...services.map((service, n) => ({ act: start, service, away: services.slice(n + 1) })),
  ]
}

/** Kills or starts a server, and holds readiness to what is away from then on. */
async function change(server: OutageServer, load: Load, { act, service, away }: Change): Promise<Watched> {
  const names = away.flatMap((one) => DETAILS[one])
  const watched = await watchDuring(server, load, async () => {
    await act(service)
    await server.untilAway(names, act === kill ? KNOWN_MS : RECOVERED_MS)
  })
  const { status, details } = await server.ready()
  expect(status).toBe(away.length === 0 ? 200 : 503)
  for (const name of names) expect(details[name]?.message).toMatch(/\w{3}/)
  return watched
}

/** What needs none of these: everything, when nothing is away. */
function goOnWithout(away: readonly Service[]): readonly string[] {
  return KINDS.filter((kind) => away.every((service) => GO_ON[service].includes(kind)))
}

function refusedWithout(away: readonly Service[]): readonly string[] {
  return away.flatMap((service) => REFUSED[service])
}

/** Until every kind of call that goes on was done, and every one that needs what is away was refused. */
function asFarAs(away: readonly Service[]) {
  const isMet = (calls: FaredByKind) =>
    goOnWithout(away).every((kind) => (calls[kind]?.done ?? 0) > 0) &&
    refusedWithout(away).every((kind) => (calls[kind]?.refused ?? 0) > 0)
  return { leastMs: LEAST_MS, mostMs: MOST_MS, isMet }
}

describe('a start with a server that is not there', () => {
  afterAll(removeTemporaryDirectories)

  it.each([
    ['SQL_URL', 'mysql://root:geheim@127.0.0.1:1/milepost', {}],
    ['MONGO_URL', 'mongodb://root:geheim@127.0.0.1:1/milepost', {}],
    [
      'S3_ENDPOINT',
      'http://127.0.0.1:1',
      { S3_BUCKET: 'milepost', S3_ACCESS_KEY_ID: 'a', S3_SECRET_ACCESS_KEY: 'geheim' },
    ],
  ] as const)(
    'ends with 69 and one line that names it, without its password: %s',
    async (variable, url, more) => {
      const startedMs = performance.now()
      const stores = { SQL_URL: '', MONGO_URL: '', S3_ENDPOINT: '', S3_BUCKET: '' }
      const { code, output } = await runToEnd({ DATA_DIR: temporaryDirectory(), ...stores, ...more, [variable]: url })
      expect(output.trim().split('\n')).toHaveLength(1)
      expect(output).toContain('127.0.0.1:1')
      expect(output).not.toContain('geheim')
      expect(code).toBe(69)
      expect(performance.now() - startedMs).toBeLessThan(25_000)
    },
    40_000,
  )
})

import { runToEnd } from '../support/server-process.js'
import { removeTemporaryDirectories, temporaryDirectory } from '../support/temporary-directory.js'
import { Load } from './load.js'
import { DETAILS, OutageServer } from './outage-server.js'
import { describeOutage, kill, type Service, start, useServices } from './services.js'
import { tell, watch } from './watched-phase.js'

const SERVICES: readonly Service[] = ['sql', 'mongo', 's3']
const AWAY_MS = 4000
const RECOVERED_MS = 10_000

describeOutage('one store on a server while the others are embedded', () => {
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

  it.each(SERVICES)(
    'works, and readiness names only what is away: %s',
    async (service) => {
      server = await OutageServer.start([service])
      expect(await server.away()).toEqual([])
      load = await Load.start(server.process.api)
      const before = await watch(server, load, 2000)
      for (const [kind, { done }] of Object.entries(before.calls)) expect([kind, done > 0]).toEqual([kind, true])
      await kill(service)
      await server.untilAway(DETAILS[service], 5000)
      tell(`${service} alone, away`, await watch(server, load, AWAY_MS))
      await start(service)
      await server.untilAway([], RECOVERED_MS)
      await watch(server, load, 2000)
      const result = await load.finish()
      process.stdout.write(`${service} alone: ${JSON.stringify(result)}\n`)
      expect(result).toMatchObject({ lost: 0, doubled: 0, invented: 0, altered: 0, odd: [] })
      expect(await server.stop()).toBe(0)
    },
    90_000,
  )
})

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
      // The S3 client's own words about old Nodes are not ours to judge.
      const quiet = { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' }
      const stores = { ...quiet, SQL_URL: '', MONGO_URL: '', S3_ENDPOINT: '', S3_BUCKET: '' }
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

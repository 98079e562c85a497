import { setTimeout as sleep } from 'node:timers/promises'
import { testImei } from '../support/api.js'
import { metricSum } from '../support/metric-sum.js'
import { ADMIN_PASSWORD } from '../support/server-process.js'
import { removeTemporaryDirectories } from '../support/temporary-directory.js'
import { freeTrackerPorts } from '../support/tracker-ports.js'
import { DatagramLoad } from './datagram-load.js'
import { DETAILS, OutageServer } from './outage-server.js'
import { describeOutage, type Service, start, stop, useServices } from './services.js'

const SENDERS = 50
/** Those that begin to send while the store is away. */
const LATE = 10
const OUTAGE_MS = 12_000
const RECOVERED_MS = 10_000
const DRAINED_MS = 30_000

const imeis = (first: number, count: number) => Array.from({ length: count }, (_, index) => testImei(first + index))

describeOutage('senders of datagrams that never resend, while a store is away', () => {
  let server: OutageServer | undefined
  let load: DatagramLoad | undefined

  beforeAll(useServices)
  afterEach(async () => {
    await load?.stop()
    load = undefined
    for (const service of ['sql', 'mongo'] as const) await start(service)
    await server?.remove()
    server = undefined
  }, 120_000)
  afterAll(removeTemporaryDirectories)

  it.each(['mongo', 'sql'] as const)(
    '%s: nothing of 50 senders is lost or doubled, nor of those that begin meanwhile',
    async (service: Service) => {
      const ports = await freeTrackerPorts()
      server = await OutageServer.start(['sql', 'mongo'], (variables) => ({ ...variables, ...ports }))
      const { api } = server.process
      const admin = await api.login('admin', ADMIN_PASSWORD)
      const teltonika = Number(ports.TRACKER_TELTONIKA_PORT)
      const queclink = Number(ports.TRACKER_QUECLINK_PORT)
      load = new DatagramLoad({ teltonika, queclink }, Math.floor(Date.now() / 1000) * 1000 - 86_400_000)
      await load.add(imeis(0, SENDERS))
      await sleep(3000)
      expect(load.answered).toBeGreaterThan(0)

      await stop(service)
      await server.untilAway(DETAILS[service], 5000)
      const answered = load.answered
      await sleep(OUTAGE_MS / 4)
      await load.add(imeis(SENDERS, LATE))
      await sleep((3 * OUTAGE_MS) / 4)
      const waiting = await metricSum({ api }, 'milepost_spool_entries')
      expect(waiting).toBeGreaterThan(service === 'mongo' ? 1000 : 100)
      // What is in flight when the store goes may still be answered; what is kept is not.
      if (service === 'mongo') expect(load.answered - answered).toBeLessThan(SENDERS)

      await start(service)
      await server.untilAway([], RECOVERED_MS)
      await sleep(5000)
      await load.stop()
      const untilMs = performance.now() + DRAINED_MS
      while ((await metricSum({ api }, 'milepost_spool_entries')) > 0 && performance.now() < untilMs) await sleep(100)
      const result = await load.compare(api, admin)
      process.stdout.write(`${service}: ${waiting} waited, ${JSON.stringify(result)}\n`)
      expect(result).toMatchObject({ lost: 0, doubled: 0, invented: 0 })
      expect(await metricSum({ api }, 'milepost_spool_entries')).toBe(0)
      expect(await metricSum({ api }, 'milepost_spool_refused_total')).toBe(0)
      load = undefined
      expect(await server.stop()).toBe(0)
    },
    240_000,
  )
})

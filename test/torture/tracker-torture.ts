import { setTimeout as sleep } from 'node:timers/promises'
import type { SentRecord } from '../../src/codecs/sent-record.js'
import { type Api, testImei } from '../support/api.js'
import { ADMIN_PASSWORD, ServerProcess } from '../support/server-process.js'
import { TRACKER_BRANDS } from '../support/tracker-brand.js'
import { freeTrackerPorts } from '../support/tracker-ports.js'
import { type KillTortureOptions, type KillTortureResult, killSoon } from './kill-torture.js'
import { RelentlessTracker } from './relentless-tracker.js'
import { seededRandom } from './seeded-random.js'

export interface TrackerTortureResult extends KillTortureResult {
  /** In the track, with other values than were sent. */
  readonly altered: number
  /** Acknowledged records by brand. */
  readonly ackedOf: Readonly<Record<string, number>>
}

/** Long enough ago for a record a second, and not older than positions are kept. */
const SINCE_MS = 80 * 86_400_000

const LOAD_WITHIN_MS = 30_000

interface Stored {
  readonly time: string
  readonly latitude: number | null
  readonly longitude: number | null
  readonly altitude: number | null
  readonly speed: number | null
  readonly heading: number | null
  readonly hasFix: boolean
}

/**
 * As {@link tortureByKills}, with trackers of all brands in turn on their own ports; of Queclink's the acknowledgements are switched on.
 */
export async function tortureTrackersByKills(options: KillTortureOptions): Promise<TrackerTortureResult> {
  const random = seededRandom(options.seed)
  const ports = await freeTrackerPorts()
  const server = new ServerProcess(
    { DATA_DIR: options.dataDirectory, LOGIN_FAILURES_PER_MINUTE: '0', LOG_LEVEL: 'error', ...ports },
    options.dist,
  )
  const portOf: Readonly<Record<string, string>> = {
    teltonika: ports.TRACKER_TELTONIKA_PORT,
    queclink: ports.TRACKER_QUECLINK_PORT,
    ruptela: ports.TRACKER_RUPTELA_PORT,
    galileosky: ports.TRACKER_GALILEOSKY_PORT,
  }
  await server.start()
  try {
    const startMs = Math.floor((Date.now() - SINCE_MS) / 1000) * 1000
    const units = Array.from({ length: options.units }, (_, n) => {
      const brand = TRACKER_BRANDS[n % TRACKER_BRANDS.length] ?? fail('no brand')
      const port = Number(portOf[brand.protocol])
      return { protocol: brand.protocol, unit: new RelentlessTracker(testImei(n), brand, port, startMs, random) }
    })
    await register(server.api, units)
    const runs = Promise.all(units.map(({ unit }) => unit.run()))
    // Whoever is answered wrongly is told of at the end.
    runs.catch(() => undefined)
    for (let kill = 1; kill <= options.kills; kill++) {
      await underLoad(units)
      await (options.endOnce ?? killSoon)(server, random, options.kills - kill)
      options.onKill?.(
        kill,
        units.reduce((sum, { unit }) => sum + unit.acked.size, 0),
      )
      await server.start()
    }
    await sleep(300)
    for (const { unit } of units) unit.finish()
    await runs
    return await compare(server.api, units, options.kills)
  } finally {
    await server.kill()
  }
}

/** Resolves when the units are heard: a busy machine takes its time to let them in again. */
async function underLoad(units: readonly Known[]): Promise<void> {
  const acked = () => units.reduce((sum, { unit }) => sum + unit.acked.size, 0)
  const enough = acked() + units.length
  const untilMs = Date.now() + LOAD_WITHIN_MS
  while (acked() < enough && Date.now() < untilMs) await sleep(20)
}

interface Known {
  readonly protocol: string
  readonly unit: RelentlessTracker
}

async function register(api: Api, units: readonly Known[]): Promise<void> {
  const token = await api.login('admin', ADMIN_PASSWORD)
  for (const { unit } of units) {
    const { imei } = unit
    const added = await api.post('/api/v1/devices', { deviceId: imei }, token)
    const changed = await api.request('PATCH', `/api/v1/devices/${imei}`, { token, body: { trackerSack: true } })
    if (added.status !== 201 || changed.status !== 200) fail(`${added.text} ${changed.text}`)
  }
}

async function compare(api: Api, units: readonly Known[], kills: number): Promise<TrackerTortureResult> {
  const token = await api.login('admin', ADMIN_PASSWORD)
  const result = { kills, acked: 0, lost: 0, doubled: 0, invented: 0, altered: 0, resent: 0 }
  const ackedOf: Record<string, number> = {}
  for (const { protocol, unit } of units) {
    const track = await api.all<Stored>(`/api/v1/devices/${unit.imei}/track?include=all&limit=500`, token)
    const stored = new Set(track.map(({ time }) => Date.parse(time)))
    result.acked += unit.acked.size
    ackedOf[protocol] = (ackedOf[protocol] ?? 0) + unit.acked.size
    result.resent += unit.resent
    result.doubled += track.length - stored.size
    for (const timeMs of unit.acked) if (!stored.has(timeMs)) result.lost += 1
    for (const position of track) {
      const sent = unit.sent.get(Date.parse(position.time))
      if (sent === undefined) result.invented += 1
      else if (!isSame(position, sent)) result.altered += 1
    }
  }
  return { ...result, ackedOf }
}

function isSame(stored: Stored, sent: SentRecord): boolean {
  const values = [stored.latitude, stored.longitude, stored.altitude, stored.speed, stored.heading]
  const expected = [sent.latitude, sent.longitude, sent.altitudeM, sent.speedKmh, sent.headingDeg]
  return stored.hasFix && values.every((value, i) => value === expected[i])
}

function fail(message: string): never {
  throw new Error(message)
}

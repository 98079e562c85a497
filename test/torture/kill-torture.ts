import { setTimeout as sleep } from 'node:timers/promises'
import { type Api, testImei } from '../support/api.js'
import { ADMIN_PASSWORD, ServerProcess } from '../support/server-process.js'
import { RelentlessUnit } from './relentless-unit.js'
import { seededRandom } from './seeded-random.js'

export interface KillTortureOptions {
  readonly dataDirectory: string
  readonly kills: number
  readonly units: number
  readonly seed: number
  /** The build under test; absent: the project's own. */
  readonly dist?: string
  /** Ends the server's process, or waits until it ends by itself; absent: a kill within a second. @param left times that are to come after this */
  readonly endOnce?: (server: ServerProcess, random: () => number, left: number) => Promise<void>
  readonly onKill?: (kill: number, acked: number) => void
}

export interface KillTortureResult {
  readonly kills: number
  /** Records that units hold an acknowledgement for. */
  readonly acked: number
  /** Acknowledged, but not in the track. */
  readonly lost: number
  /** In the track more than once. */
  readonly doubled: number
  /** In the track, but never sent. */
  readonly invented: number
  /** Records answered as duplicates: resent after a kill between commit and acknowledgement. */
  readonly resent: number
}

/**
 * Kills the server with SIGKILL at random moments under load, starts it again on the same data, lets the units resend, and compares
 * what they hold acknowledgements for with the tracks. What was acknowledged before a kill is checked right after the restart,
 * before a resend could mend a loss: units never send again what was acknowledged.
 */
export function tortureByKills(options: KillTortureOptions): Promise<KillTortureResult> {
  return underKills(options, (...unit) => new RelentlessUnit(...unit), compareTracks)
}

/**
 * The same with units of any kind and a comparison of their own.
 * @param compare what the units hold acknowledgements for with what the server has, once all is acknowledged
 */
export async function underKills<Unit extends RelentlessUnit, Result>(
  options: KillTortureOptions,
  makeUnit: (...unit: ConstructorParameters<typeof RelentlessUnit>) => Unit,
  compare: (api: Api, units: readonly Unit[], kills: number) => Promise<Result>,
): Promise<Result> {
  const random = seededRandom(options.seed)
  const endOnce = options.endOnce ?? killSoon
  const server = new ServerProcess(
    {
      DATA_DIR: options.dataDirectory,
      DEVICE_ENROLMENT: 'open',
      DEVICE_EVENTS_PER_SECOND: '0',
      LOGIN_FAILURES_PER_MINUTE: '0',
      LOG_LEVEL: 'error',
    },
    options.dist,
  )
  await server.start()
  try {
    const units = await enrol(server.api, options.units, (imei, token, startMs) =>
      makeUnit(imei, token, startMs, random),
    )
    const runs = units.map((unit) => unit.run(server.url))
    for (let kill = 1; kill <= options.kills; kill++) {
      await endOnce(server, random, options.kills - kill)
      options.onKill?.(
        kill,
        units.reduce((sum, { acked }) => sum + acked.size, 0),
      )
      await server.start()
    }
    await sleep(300)
    for (const unit of units) unit.finish()
    await Promise.all(runs)
    return await compare(server.api, units, options.kills)
  } finally {
    await server.kill()
  }
}

/** Within a second. */
export async function killSoon(server: ServerProcess, random: () => number): Promise<void> {
  await sleep(150 + random() * 600)
  await server.kill()
}

async function enrol<Unit>(
  api: Api,
  count: number,
  makeUnit: (imei: string, token: string, startMs: number) => Unit,
): Promise<Unit[]> {
  const startMs = Date.now() - 86_400_000
  return Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const imei = testImei(n)
      return makeUnit(imei, await api.loginDevice(imei), startMs)
    }),
  )
}

/** What units hold acknowledgements for, beside the tracks that the server has. @param kills passed on into the result */
export async function compareTracks(
  api: Api,
  units: readonly RelentlessUnit[],
  kills: number,
): Promise<KillTortureResult> {
  const token = await api.login('admin', ADMIN_PASSWORD)
  const result = { kills, acked: 0, lost: 0, doubled: 0, invented: 0, resent: 0 }
  for (const unit of units) {
    const track = await api.all<{ time: string }>(`/api/v1/devices/${unit.imei}/track?include=all&limit=500`, token)
    const times = track.map(({ time }) => Date.parse(time))
    const stored = new Set(times)
    result.acked += unit.acked.size
    result.resent += unit.duplicates
    result.doubled += times.length - stored.size
    for (const timeMs of unit.acked) if (!stored.has(timeMs)) result.lost += 1
    for (const timeMs of stored) if (!unit.sent.has(timeMs)) result.invented += 1
  }
  return result
}

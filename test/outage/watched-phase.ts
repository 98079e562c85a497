import { setTimeout as sleep } from 'node:timers/promises'
import type { Load } from './load.js'
import type { FaredByKind } from './measured-calls.js'
import type { OutageServer } from './outage-server.js'

/** What was seen of a server while something was the matter. */
export interface Watched {
  /** By kind of call. */
  readonly calls: FaredByKind
  /** The slowest of /health/live, ms. */
  readonly slowestLiveMs: number
  readonly mostMemoryMib: number
}

/** Looks at the server ten times a second for so long, and takes what the load saw meanwhile. */
export function watch(server: OutageServer, load: Load, forMs: number): Promise<Watched> {
  const endMs = performance.now() + forMs
  return watchWhile(server, load, () => performance.now() < endMs)
}

/** The same while the work is done. @throws what it throws */
export async function watchDuring(server: OutageServer, load: Load, work: () => Promise<unknown>): Promise<Watched> {
  let isOver = false
  const over = () => {
    isOver = true
  }
  const [watched] = await Promise.all([watchWhile(server, load, () => !isOver), work().finally(over)])
  return watched
}

/** The same until the load has met what is waited for, and so long at least. @throws Error with what it met when that takes too long */
export async function watchUntil(
  server: OutageServer,
  load: Load,
  { leastMs, mostMs, isMet }: { leastMs: number; mostMs: number; isMet: (calls: FaredByKind) => boolean },
): Promise<Watched> {
  const startMs = performance.now()
  return watchWhile(server, load, () => {
    const tookMs = performance.now() - startMs
    const { sinceTaken } = load.calls
    if (tookMs > mostMs) throw new Error(`in ${mostMs} ms the load met only ${JSON.stringify(sinceTaken)}`)
    return tookMs < leastMs || !isMet(sinceTaken)
  })
}

async function watchWhile(server: OutageServer, load: Load, goesOn: () => boolean): Promise<Watched> {
  load.take()
  let slowestLiveMs = 0
  let mostMemoryMib = 0
  for (; goesOn(); await sleep(100)) {
    slowestLiveMs = Math.max(slowestLiveMs, Math.round(await server.liveMs()))
    mostMemoryMib = Math.max(mostMemoryMib, server.memoryMib)
  }
  return { calls: load.take(), slowestLiveMs, mostMemoryMib }
}

/** Every event is answered within 10 s; what is added by a machine whose cores are all busy is more than this. */
const EVENT_MS = 10_500
/** A video comes to its place by several calls of two stores, one after the other, and its unit waits for a minute. */
const UPLOAD_MS = 20_000

/** Kinds of calls of which one took longer than it may, with how long. */
export function tooSlow({ calls }: Pick<Watched, 'calls'>): string[] {
  return Object.entries(calls).flatMap(([kind, { longestMs }]) =>
    longestMs > (kind === 'uploads' ? UPLOAD_MS : EVENT_MS) ? [`${kind}: ${longestMs} ms`] : [],
  )
}

/** For the log of a run. */
export function tell(title: string, { calls, slowestLiveMs, mostMemoryMib }: Watched): void {
  const told = Object.entries(calls)
    .sort(([one], [other]) => one.localeCompare(other))
    .map(([kind, { done, refused, longestMs }]) => `${kind} ${done} done, ${refused} refused, ${longestMs} ms`)
  process.stdout.write(`${title}: live ${slowestLiveMs} ms, ${mostMemoryMib} MiB; ${told.join('; ')}\n`)
}

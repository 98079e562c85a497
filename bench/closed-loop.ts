import { setTimeout as sleep } from 'node:timers/promises'
import type { IsExpected } from './expected-ack.js'
import { Latencies } from './latencies.js'
import type { LightClient } from './light-client.js'

/** A load that keeps a fixed number of events of each unit under way: it finds the highest rate. */
export interface ClosedLoop {
  readonly inFlight: number
  readonly warmUpMs: number
  readonly windowMs: number
  readonly event: string
  /** What the unit sends next, without the packet's head. */
  readonly next: (unit: number) => string
  readonly isExpected: IsExpected
}

export interface LoadResult {
  readonly eventsPerSecond: number
  readonly latencies: Latencies
}

const LAST_ACKS_WITHIN_MS = 15_000

/**
 * Loads the clients' server and measures within the window. When it resolves, every event that was sent has been acknowledged.
 * @throws Error when an acknowledgement is not the expected one or does not come
 */
export async function runClosedLoop(clients: readonly LightClient[], load: ClosedLoop): Promise<LoadResult> {
  const latencies = new Latencies()
  let underWay = 0
  let acked = 0
  let isSending = true
  let isMeasuring = false
  let failure: string | undefined
  const send = (unit: number, client: LightClient, sentAt: Float64Array, id: number) => {
    sentAt[id] = performance.now()
    underWay += 1
    client.send(`42${id}["${load.event}",${load.next(unit)}]`)
  }
  clients.forEach((client, unit) => {
    const sentAt = new Float64Array(load.inFlight)
    client.onSurprise = (text) => {
      failure ??= text
    }
    client.onAck = (id, frame, bodyAt) => {
      underWay -= 1
      if (!load.isExpected(frame, bodyAt)) failure ??= frame.toString()
      if (isMeasuring) {
        acked += 1
        latencies.add(performance.now() - (sentAt[id] ?? Number.NaN))
      }
      if (isSending) send(unit, client, sentAt, id)
    }
    for (let id = 0; id < load.inFlight; id++) send(unit, client, sentAt, id)
  })
  await sleep(load.warmUpMs)
  const startedMs = performance.now()
  isMeasuring = true
  await sleep(load.windowMs)
  isMeasuring = false
  const seconds = (performance.now() - startedMs) / 1000
  isSending = false
  await settled(() => underWay === 0 || failure !== undefined)
  if (failure !== undefined) throw new Error(`the load met: ${failure}`)
  if (underWay > 0) throw new Error(`${underWay} events were never acknowledged`)
  return { eventsPerSecond: acked / seconds, latencies }
}

/** Waits until it is so, but not for ever. */
export async function settled(isSo: () => boolean): Promise<void> {
  const untilMs = performance.now() + LAST_ACKS_WITHIN_MS
  while (!isSo() && performance.now() < untilMs) await sleep(5)
}

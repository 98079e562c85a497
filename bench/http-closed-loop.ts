import { setTimeout as sleep } from 'node:timers/promises'
import { type LoadResult, settled } from './closed-loop.js'
import { Latencies } from './latencies.js'
import type { LightHttpClient } from './light-http-client.js'

/** A load in which each connection sends its next request when the last one was answered. */
export interface HttpClosedLoop {
  readonly warmUpMs: number
  readonly windowMs: number
  /** What the connection posts next. */
  readonly next: (connection: number) => string
  readonly isExpected: (status: number, body: string) => boolean
}

/**
 * Loads the clients' server and measures within the window. When it resolves, every request that was sent has been answered.
 * @throws Error when an answer is not the expected one or does not come
 */
export async function runHttpClosedLoop(
  clients: readonly LightHttpClient[],
  { warmUpMs, windowMs, next, isExpected }: HttpClosedLoop,
): Promise<LoadResult> {
  const latencies = new Latencies()
  let underWay = 0
  let isSending = true
  let isMeasuring = false
  let failure: string | undefined
  const post = (client: LightHttpClient, connection: number) => {
    underWay += 1
    const sentAtMs = performance.now()
    client.post(next(connection), (status, body) => {
      underWay -= 1
      if (isMeasuring) latencies.add(performance.now() - sentAtMs)
      if (!isExpected(status, body)) failure ??= `${status} ${body}`
      if (isSending) post(client, connection)
    })
  }
  clients.forEach(post)
  await sleep(warmUpMs)
  const startedMs = performance.now()
  isMeasuring = true
  await sleep(windowMs)
  isMeasuring = false
  const eventsPerSecond = (latencies.count / (performance.now() - startedMs)) * 1000
  isSending = false
  await settled(() => underWay === 0)
  if (failure !== undefined) throw new Error(`the load met: ${failure}`)
  if (underWay > 0) throw new Error(`${underWay} requests were never answered`)
  return { eventsPerSecond, latencies }
}

import { setTimeout as sleep } from 'node:timers/promises'
import { settled } from './closed-loop.js'
import type { IsExpected } from './expected-ack.js'
import { Latencies } from './latencies.js'
import type { LightClient } from './light-client.js'

/** A load at a fixed rate, whatever the server does: it finds the latency that units meet. */
export interface OpenLoop {
  readonly eventsPerSecond: number
  readonly warmUpMs: number
  readonly windowMs: number
  readonly event: string
  readonly next: (unit: number) => string
  readonly isExpected: IsExpected
}

/** Events of one unit that may be under way; a server that falls so far behind has failed. */
const RING = 16_384

/**
 * Sends each event at its moment of a fixed timetable, units in turn. The latency runs from that moment, not from when the
 * client got round to it: a pause of either side counts for every event that should have left within it.
 * @throws Error when an acknowledgement is not the expected one or does not come
 */
export async function runOpenLoop(clients: readonly LightClient[], load: OpenLoop): Promise<Latencies> {
  const latencies = new Latencies()
  const perMs = load.eventsPerSecond / 1000
  const measured = { from: Math.floor(load.warmUpMs * perMs), to: Math.floor((load.warmUpMs + load.windowMs) * perMs) }
  const startMs = performance.now()
  let acked = 0
  let failure: string | undefined
  clients.forEach((client, unit) => {
    client.onSurprise = (text) => {
      failure ??= text
    }
    client.onAck = (id, frame, bodyAt) => {
      acked += 1
      if (!load.isExpected(frame, bodyAt)) failure ??= frame.toString()
      const event = id * clients.length + unit
      if (event >= measured.from) latencies.add(performance.now() - startMs - event / perMs)
    }
  })
  let sent = 0
  while (sent < measured.to && failure === undefined) {
    const due = Math.min(measured.to, Math.floor((performance.now() - startMs) * perMs))
    for (; sent < due; sent++) {
      const unit = sent % clients.length
      clients[unit]?.send(`42${Math.floor(sent / clients.length)}["${load.event}",${load.next(unit)}]`)
    }
    if (sent - acked > RING * clients.length) throw new Error('the server cannot keep up with the rate')
    await sleep(1)
  }
  await settled(() => acked === sent || failure !== undefined)
  if (failure !== undefined) throw new Error(`the load met: ${failure}`)
  if (acked < sent) throw new Error(`${sent - acked} events were never acknowledged`)
  return latencies
}

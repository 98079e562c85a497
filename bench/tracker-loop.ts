import { setTimeout as sleep } from 'node:timers/promises'
import { settled } from './closed-loop.js'
import type { TrackerClient } from './tracker-client.js'
import type { TrackerPackets } from './tracker-packets.js'

/** A load in which every unit sends its next packet when the one before was answered, as trackers do. */
export interface TrackerLoop {
  readonly warmUpMs: number
  readonly windowMs: number
  /** Records in each packet. */
  readonly size: number
}

/**
 * @returns records acknowledged in a second of the window. When it resolves, every packet that was sent has been acknowledged
 * @throws Error when a count is not that of the packet or does not come
 */
export async function runTrackerLoop(
  clients: readonly TrackerClient[],
  packets: TrackerPackets,
  { size, warmUpMs, windowMs }: TrackerLoop,
): Promise<number> {
  let underWay = 0
  let acked = 0
  let isSending = true
  let isMeasuring = false
  let failure: string | undefined
  const send = (client: TrackerClient, unit: number) => {
    underWay++
    client.send(packets.next(unit))
  }
  clients.forEach((client, unit) => {
    client.onSurprise = (text) => {
      failure ??= text
    }
    client.onAnswer = (records) => {
      underWay--
      if (records !== size) failure ??= `a packet of ${size} records was answered with ${records}`
      if (isMeasuring) acked += size
      if (isSending) send(client, unit)
    }
    send(client, unit)
  })
  await sleep(warmUpMs)
  const startedMs = performance.now()
  isMeasuring = true
  await sleep(windowMs)
  isMeasuring = false
  const seconds = (performance.now() - startedMs) / 1000
  isSending = false
  await settled(() => underWay === 0 || failure !== undefined)
  if (failure !== undefined) throw new Error(`the load met: ${failure}`)
  if (underWay > 0) throw new Error(`${underWay} packets were never acknowledged`)
  return acked / seconds
}

/** One packet of every unit. @returns milliseconds until all were acknowledged */
export async function runTrackerRound(
  clients: readonly TrackerClient[],
  packets: TrackerPackets,
  size: number,
): Promise<number> {
  let waiting = clients.length
  let failure: string | undefined
  const startedMs = performance.now()
  let endedMs = Number.NaN
  clients.forEach((client, unit) => {
    client.onSurprise = (text) => {
      failure ??= text
    }
    client.onAnswer = (records) => {
      if (records !== size) failure ??= `a packet of ${size} records was answered with ${records}`
      if (--waiting === 0) endedMs = performance.now()
    }
    client.send(packets.next(unit))
  })
  await settled(() => waiting === 0 || failure !== undefined)
  if (failure !== undefined) throw new Error(`the round met: ${failure}`)
  if (waiting > 0) throw new Error(`${waiting} packets were never acknowledged`)
  return endedMs - startedMs
}

import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const LOOK_EVERY_MS = 20

/** Physical memory of a process in bytes. Linux only. */
export function residentBytes(pid: number): number {
  const kiB = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  if (kiB === undefined) throw new Error(`process ${pid} is gone`)
  return Number(kiB) * 1024
}

/** Looks at the memory of a process while some work is done. */
export class MemoryWatch {
  /** Of all works so far. */
  peakBytes = 0

  constructor(private readonly pid: number) {}

  async during<T>(work: () => Promise<T>): Promise<T> {
    const timer = setInterval(() => {
      this.peakBytes = Math.max(this.peakBytes, residentBytes(this.pid))
    }, LOOK_EVERY_MS)
    try {
      return await work()
    } finally {
      clearInterval(timer)
    }
  }
}

/** CPU time of a process, all its threads, in seconds. Linux only. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const TICKS_PER_SECOND = 100
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

/** Waits until the memory no longer falls, at least so long, at most five times as long. */
export async function settledBytes(pid: number, atLeastMs: number): Promise<number> {
  await sleep(atLeastMs)
  let bytes = residentBytes(pid)
  for (let n = 0; n < 8; n++) {
    await sleep(atLeastMs / 2)
    const next = residentBytes(pid)
    if (next > bytes * 0.995) return next
    bytes = next
  }
  return bytes
}

import { hasEnded } from '../model/command.js'
import type { CommandRecord } from '../storage/sql/command-records.js'

/** Requests that may wait at the same time; one more is answered at once. */
const MAX_WAITING = 1000

/** Requests that wait for the end of a command. */
export class CommandWaits {
  private readonly waiting = new Map<string, Set<() => void>>()
  private count = 0
  private isStopped = false

  /** @param most at the same time */
  constructor(private readonly most = MAX_WAITING) {}

  /** A command was changed. */
  handleChange({ id, status }: CommandRecord): void {
    if (hasEnded(status)) for (const leave of [...(this.waiting.get(id) ?? [])]) leave()
  }

  /**
   * Waits until the command has ended, at most for the time given and while the signal is quiet; the server's own stop ends it too.
   * @returns undefined: too many wait already, or the server is stopping
   */
  waitForEnd(id: string, withinMs: number, signal: AbortSignal): Promise<void> | undefined {
    if (this.isStopped || this.count >= this.most) return undefined
    if (withinMs === 0 || signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const leaves = this.waiting.get(id) ?? new Set()
      const leave = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', leave)
        if (!leaves.delete(leave)) return
        if (leaves.size === 0) this.waiting.delete(id)
        this.count -= 1
        resolve()
      }
      const timer = setTimeout(leave, withinMs)
      signal.addEventListener('abort', leave)
      leaves.add(leave)
      this.waiting.set(id, leaves)
      this.count += 1
    })
  }

  /** Everybody is answered now, and nobody waits any more. */
  stop(): void {
    this.isStopped = true
    for (const leaves of [...this.waiting.values()]) for (const leave of [...leaves]) leave()
  }
}

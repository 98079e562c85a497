import { hasEnded } from '../model/command.js'
import type { CommandRecord } from '../storage/sql/command-records.js'

/** Requests that may wait at the same time; one more is answered at once. */
const MAX_WAITING = 1000

type Leave = (ended?: CommandRecord) => void

/** Requests that wait for the end of a command. */
export class CommandWaits {
  private readonly waiting = new Map<string, Set<Leave>>()
  private count = 0
  private isStopped = false

  /** @param most at the same time */
  constructor(private readonly most = MAX_WAITING) {}

  /** A command was changed. */
  handleChange(command: CommandRecord): void {
    if (hasEnded(command.status)) for (const leave of [...(this.waiting.get(command.id) ?? [])]) leave(command)
  }

  /**
   * Waits until the command has ended, at most for the time given and while the signal is quiet; the server's own stop ends it too.
   * @returns the command as it ended, or undefined when it has not; instead of a promise undefined: too many wait already, or the server is stopping
   */
  waitForEnd(id: string, withinMs: number, signal: AbortSignal): Promise<CommandRecord | undefined> | undefined {
    if (this.isStopped || this.count >= this.most) return undefined
    if (withinMs === 0 || signal.aborted) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const leaves = this.waiting.get(id) ?? new Set<Leave>()
      const leave: Leave = (ended) => {
        clearTimeout(timer)
        signal.removeEventListener('abort', giveUp)
        if (!leaves.delete(leave)) return
        if (leaves.size === 0) this.waiting.delete(id)
        this.count -= 1
        resolve(ended)
      }
      const giveUp = () => leave()
      const timer = setTimeout(giveUp, withinMs)
      signal.addEventListener('abort', giveUp)
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

/** Gives a lock back. */
export type Release = () => void

interface Turn {
  readonly start: () => void
  readonly onWanted: (() => void) | undefined
}

/** One holder per key at a time, in the order of asking. Within this process: others have stores of their own. */
export class KeyedLocks {
  /** The holder is the first of its queue. */
  private readonly queues = new Map<string, Turn[]>()

  isHeld(key: string): boolean {
    return this.queues.has(key)
  }

  /**
   * Waits for its turn.
   * @param onWanted told, while it holds the lock, that somebody else would like to have it
   */
  acquire(key: string, onWanted?: () => void): Promise<Release> {
    return new Promise((resolve) => {
      const turn: Turn = { start: () => resolve(() => this.release(key, turn)), onWanted }
      const queue = this.queues.get(key)
      if (queue === undefined) {
        this.queues.set(key, [turn])
        turn.start()
        return
      }
      queue.push(turn)
      queue[0]?.onWanted?.()
    })
  }

  /** Does something while nobody else of the same key does. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const release = await this.acquire(key)
    try {
      return await work()
    } finally {
      release()
    }
  }

  private release(key: string, turn: Turn): void {
    const queue = this.queues.get(key)
    if (queue?.[0] !== turn) return
    queue.shift()
    const next = queue[0]
    if (next === undefined) this.queues.delete(key)
    else {
      next.start()
      if (queue.length > 1) next.onWanted?.()
    }
  }
}

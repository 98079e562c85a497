/** What a call came to: done as asked, refused with a code, or anything else, which nobody should see. */
export type Outcome = 'done' | 'store_unavailable' | 'overloaded' | `odd: ${string}`

/** How one kind of call fared. */
export interface Fared {
  done: number
  refused: number
  longestMs: number
}

/** How calls fared, by kind. */
export type FaredByKind = Readonly<Record<string, Readonly<Fared>>>

/** Takes the time of every call and what it came to, by kind. */
export class MeasuredCalls {
  /** What no caller should meet: other errors than those that tell to come again, and calls without an answer. */
  readonly odd: string[] = []
  private fared = new Map<string, Fared>()
  private readonly faredInAll = new Map<string, Fared>()

  /**
   * @param run gives up by itself and says that it was odd
   * @returns the outcome
   */
  async measure(kind: string, run: () => Promise<Outcome>): Promise<Outcome> {
    const startedMs = performance.now()
    const outcome = await run()
    const tookMs = performance.now() - startedMs
    for (const counted of [this.fared, this.faredInAll]) add(counted, kind, outcome, tookMs)
    if (outcome.startsWith('odd') && this.odd.length < 20)
      this.odd.push(`${kind}, ${Math.round(tookMs)} ms: ${outcome}`)
    return outcome
  }

  /** What was counted since it was last taken. */
  get sinceTaken(): FaredByKind {
    return Object.fromEntries(this.fared)
  }

  /** What was counted since the beginning. */
  get inAll(): FaredByKind {
    return Object.fromEntries(this.faredInAll)
  }

  /** As {@link sinceTaken}, and begins anew. */
  take(): FaredByKind {
    const taken = this.sinceTaken
    this.fared = new Map()
    return taken
  }
}

function add(counted: Map<string, Fared>, kind: string, outcome: Outcome, tookMs: number): void {
  const fared = counted.get(kind) ?? { done: 0, refused: 0, longestMs: 0 }
  counted.set(kind, fared)
  fared.longestMs = Math.max(fared.longestMs, Math.round(tookMs))
  if (outcome === 'done') fared.done += 1
  else fared.refused += 1
}

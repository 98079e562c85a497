import type { LiveEvent } from './live-event.js'
import { WINDOW_MS } from './position-windows.js'
import { isWanted } from './watch-filter.js'
import type { Watcher } from './watcher.js'

const LOOK_EVERY_MS = 10
/** The most time of the event loop that one look may take. */
const SLICE_MS = 5
/** So many subjects are remembered for watchers that fell behind. */
export const MAX_REMEMBERED = 50_000

/** How far a slow watcher is. */
interface Progress {
  /** The first event that it may not have got. */
  fromSeq: number
  /** The round under way ends before this one; undefined: none is. */
  untilSeq: number | undefined
  sentInRound: number
  nextRoundAtMs: number
}

/**
 * Watchers that are slow, and what they missed: the newest event of each subject, remembered once for all of them and only while there
 * is one. As soon as its network took what waited, a watcher gets the newest of what it missed, in rounds at least a second apart (so
 * that no device goes out to it twice within one); when a round had nothing for it, it is as fast as the others again.
 */
export class CatchUp {
  private readonly slow = new Map<Watcher, Progress>()
  private readonly remembered = new Map<string, LiveEvent>()
  private lastSeq = 0
  private timer: NodeJS.Timeout | undefined

  /** @param onSent called for each event that a slow watcher got after all */
  constructor(
    private readonly onSent: (event: LiveEvent) => void,
    private readonly now: () => number,
  ) {}

  isSlow(watcher: Watcher): boolean {
    return this.slow.has(watcher)
  }

  /** The watcher could not take this event. */
  hold(watcher: Watcher, event: LiveEvent): void {
    this.slow.set(watcher, { fromSeq: event.seq, untilSeq: undefined, sentInRound: 0, nextRoundAtMs: 0 })
    this.timer ??= setInterval(() => this.look(), LOOK_EVERY_MS).unref()
  }

  /** An event was delivered to those who could take it. */
  delivered(event: LiveEvent): void {
    this.lastSeq = event.seq
    if (this.slow.size === 0) return
    this.remembered.delete(event.subject)
    this.remembered.set(event.subject, event)
    if (this.remembered.size > MAX_REMEMBERED) {
      for (const [oldest] of this.remembered) {
        this.remembered.delete(oldest)
        break
      }
    }
  }

  /** The watcher is gone, or keeps up again. */
  release(watcher: Watcher): void {
    this.slow.delete(watcher)
    if (this.slow.size > 0) return
    this.remembered.clear()
    clearInterval(this.timer)
    this.timer = undefined
  }

  private look(): void {
    const endMs = performance.now() + SLICE_MS
    for (const [watcher, progress] of [...this.slow]) {
      if (!watcher.isOpen) this.release(watcher)
      else if (watcher.isDrained && progress.nextRoundAtMs <= this.now()) {
        this.goOn(watcher, progress)
        this.toTheEnd(watcher, progress)
      }
      if (performance.now() >= endMs) return
    }
  }

  private goOn(watcher: Watcher, progress: Progress): void {
    const untilSeq = progress.untilSeq ?? this.lastSeq + 1
    progress.untilSeq = untilSeq
    for (const event of this.remembered.values()) {
      if (event.seq < progress.fromSeq) continue
      if (event.seq >= untilSeq) break
      if (!isWanted(watcher.filter, event)) continue
      if (!watcher.offer(event)) {
        progress.fromSeq = event.seq
        return
      }
      progress.sentInRound += 1
      this.onSent(event)
    }
    this.finishRound(watcher, progress, untilSeq)
  }

  private finishRound(watcher: Watcher, progress: Progress, untilSeq: number): void {
    if (progress.sentInRound === 0) {
      this.release(watcher)
      return
    }
    progress.fromSeq = untilSeq
    progress.untilSeq = undefined
    progress.sentInRound = 0
    progress.nextRoundAtMs = this.now() + WINDOW_MS
  }

  /** Whoever had a turn waits until the others had theirs. */
  private toTheEnd(watcher: Watcher, progress: Progress): void {
    if (this.slow.delete(watcher)) this.slow.set(watcher, progress)
  }
}

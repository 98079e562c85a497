import type { LiveEvent } from './live-event.js'
import type { WatchFilter } from './watch-filter.js'

/** So many bytes may wait for one watcher's network; with this much waiting it counts as slow. */
export const MAX_WAITING_BYTES = 131_072

/** The way to one watcher's machine. */
export interface Wire {
  readonly isOpen: boolean
  /** Nothing waits for the network. */
  readonly isDrained: boolean
  /** Never throws, never waits. */
  send(event: LiveEvent): void
}

/** One user's connection, as far as sending to it goes: what waits for it is bounded, what does not fit is held back. */
export class Watcher {
  /** Replaced only through {@link Watchers.watch}. */
  filter: WatchFilter = {}
  private waitingBytes = 0

  constructor(private readonly wire: Wire) {}

  get isOpen(): boolean {
    return this.wire.isOpen
  }

  /** Whether the network took everything sent so far. */
  get isDrained(): boolean {
    return this.wire.isDrained
  }

  /** @returns false: held back, the watcher is slow (nothing was sent) */
  offer(event: LiveEvent): boolean {
    if (this.wire.isDrained) this.waitingBytes = 0
    if (this.waitingBytes >= MAX_WAITING_BYTES) return false
    this.waitingBytes += event.encode().bytes
    this.wire.send(event)
    return true
  }
}

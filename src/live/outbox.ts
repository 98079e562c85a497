import type { LiveEvent } from './live-event.js'

/** After this long the event loop gets a turn: acknowledgements to units go before the feed. */
const SLICE_MS = 5

/**
 * What waits to be delivered, in order, at most one event per subject. Delivery is never in the turn of the one who publishes, and
 * takes bounded slices: when there is more to send than time for it, events of one subject fold into the newest.
 */
export class Outbox {
  private readonly waiting = new Map<string, LiveEvent>()
  private isScheduled = false

  constructor(private readonly deliver: (event: LiveEvent) => void) {}

  has(subject: string): boolean {
    return this.waiting.has(subject)
  }

  put(event: LiveEvent): void {
    this.waiting.set(event.subject, event)
    this.schedule()
  }

  private schedule(): void {
    if (this.isScheduled) return
    this.isScheduled = true
    setImmediate(() => {
      this.isScheduled = false
      this.deliverSlice()
    })
  }

  private deliverSlice(): void {
    const endMs = performance.now() + SLICE_MS
    for (const [subject, event] of this.waiting) {
      this.waiting.delete(subject)
      this.deliver(event)
      if (performance.now() >= endMs) break
    }
    if (this.waiting.size > 0) this.schedule()
  }
}

import type { Metrics } from '../metrics/metrics.js'
import type { Position } from '../model/position.js'
import { formatTime } from '../model/time.js'
import type { PresenceChange } from '../sessions/link.js'
import { toPositionJson } from '../web/position-json.js'
import { CatchUp } from './catch-up.js'
import { LiveEvent } from './live-event.js'
import { LiveFeed, type LiveNews } from './live-feed.js'
import { Outbox } from './outbox.js'
import { PositionWindows } from './position-windows.js'
import type { Watcher } from './watcher.js'
import { Watchers } from './watchers.js'

/** Stored things to the users of the `/live` namespace. */
export class SocketLiveFeed extends LiveFeed {
  private readonly watchers = new Watchers()
  private readonly catchUp: CatchUp
  private readonly windows: PositionWindows
  private readonly outbox = new Outbox((event) => this.deliver(event))
  private lastSeq = 0

  constructor(private readonly metrics: Metrics) {
    super()
    // A clock that is never set: a jump of the other one would hold positions back.
    const now = () => performance.now()
    this.catchUp = new CatchUp(({ name }) => metrics.liveSent.inc({ event: name }), now)
    this.windows = new PositionWindows((position) => this.outbox.put(toPositionEvent(position)), now)
  }

  join(watcher: Watcher): void {
    this.watchers.add(watcher)
    this.metrics.watchers.set(this.watchers.size)
  }

  leave(watcher: Watcher): void {
    this.watchers.remove(watcher)
    this.catchUp.release(watcher)
    this.metrics.watchers.set(this.watchers.size)
  }

  /** Replaces what the watcher wants to see. */
  watch(watcher: Watcher, filter: Watcher['filter']): void {
    this.watchers.watch(watcher, filter)
  }

  publishPositions(positions: readonly Position[]): void {
    if (this.watchers.size === 0) return
    for (const position of positions) {
      // What waits for delivery is not in a window yet; the newer position takes its place.
      if (this.outbox.has(positionSubject(position.deviceId))) this.outbox.put(toPositionEvent(position))
      else this.windows.offer(position)
    }
  }

  publishNews({ name, id, deviceId, point, item }: LiveNews): void {
    if (this.watchers.size === 0) return
    this.outbox.put(new LiveEvent(name, `${name}:${id}`, deviceId, point ?? undefined, item))
  }

  publishPresence(change: PresenceChange): void {
    if (this.watchers.size > 0) this.outbox.put(toPresenceEvent(change))
  }

  stop(): void {
    this.windows.stop()
  }

  private deliver(event: LiveEvent): void {
    event.seq = ++this.lastSeq
    let sent = 0
    let skipped = 0
    this.watchers.forEach(event, (watcher) => {
      const isSlow = this.catchUp.isSlow(watcher)
      if (!isSlow && watcher.offer(event)) {
        sent += 1
        return
      }
      skipped += 1
      if (!isSlow) this.catchUp.hold(watcher, event)
    })
    if (sent > 0) this.metrics.liveSent.inc({ event: event.name }, sent)
    if (skipped > 0) this.metrics.liveSkipped.inc({ event: event.name }, skipped)
    this.catchUp.delivered(event)
    if (event.name === 'position') this.windows.sent(event.deviceId)
  }
}

const positionSubject = (deviceId: string) => `position:${deviceId}`

function toPositionEvent(position: Position): LiveEvent {
  const { deviceId, latitude, longitude } = position
  const point = latitude === null || longitude === null ? undefined : { latitude, longitude }
  return new LiveEvent('position', positionSubject(deviceId), deviceId, point, () => ({
    deviceId,
    ...toPositionJson(position),
  }))
}

function toPresenceEvent({ deviceId, online, transport, atMs }: PresenceChange): LiveEvent {
  return new LiveEvent('presence', `presence:${deviceId}`, deviceId, undefined, () => ({
    deviceId,
    online,
    transport,
    at: formatTime(atMs),
  }))
}

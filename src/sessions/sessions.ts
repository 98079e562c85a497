import type { Metrics } from '../metrics/metrics.js'
import type { DeviceId } from '../model/device-id.js'
import type { ClosingCode, Link, LinkEnd, Presence, PresenceChange, Transport } from './link.js'
import { OrderedIds } from './ordered-ids.js'

/** Heard over a way without links (HTTP, UDP) a device counts as online for this long. */
export const HEARD_ONLINE_MS = 120_000
/** So many replacements of one device's link within a minute are borne; the next newcomer is refused. */
export const REPLACEMENTS_PER_MINUTE = 5
const MINUTE_MS = 60_000
/** A device is shown as contested until this long after it was last seen to be. */
export const CONTESTED_MS = 15 * MINUTE_MS
/** What a unit said on the link that it left may be heard for this long after it has opened another one. */
export const OVERLAP_MS = 2 * MINUTE_MS

interface Entry {
  readonly deviceId: DeviceId
  /** Oldest first; the last one gets the commands. */
  links: Link[]
  lastSeenAtMs: number
  heardAtMs: number
  heardTransport: Transport | null
  /** When links were replaced within the last minute. */
  replacedAtMs: number[]
  refusedUntilMs: number
  contestedUntilMs: number
  /** When an older link was heard beside the newest one, longer after its opening than one unit explains. */
  olderHeardAtMs: number
  isOnline: boolean
}

/**
 * Who is connected and how to reach them. All in memory: being heard costs no database write; what changed since the last
 * {@link Sessions.takeLastSeen} is written in one go by whoever calls it.
 */
export class Sessions {
  private readonly entries = new Map<DeviceId, Entry>()
  /** Online by having been heard, without a link; they go offline by the clock. */
  private readonly heardOnly = new Set<Entry>()
  private readonly online = new OrderedIds()
  private readonly offline = new Set<Entry>()
  /** Heard since their times were taken. */
  private readonly heardLately = new Set<Entry>()
  private readonly listeners: Array<(change: PresenceChange) => void> = []
  private readonly linkListeners: Array<(link: Link) => void> = []
  private readonly linkEndListeners: Array<(link: Link, endedBy: LinkEnd) => void> = []
  private readonly forgetListeners: Array<(deviceId: DeviceId) => void> = []
  /** When the first newer link of the device was opened beside it. */
  private readonly overtakenAtMs = new WeakMap<Link, number>()
  /** Links that the server was the first to end. */
  private readonly endedHere = new WeakSet<Link>()

  constructor(
    private readonly metrics: Metrics,
    private readonly now: () => number = Date.now,
  ) {}

  /** Registers for comings and goings; the listener must not throw or wait. */
  onPresence(listener: (change: PresenceChange) => void): void {
    this.listeners.push(listener)
  }

  /** Registers for links that can be spoken to; the listener must not throw or wait. */
  onLink(listener: (link: Link) => void): void {
    this.linkListeners.push(listener)
  }

  /** Registers for ends of links, each told once, with who was the first to end it; the listener must not throw or wait. */
  onLinkEnd(listener: (link: Link, endedBy: LinkEnd) => void): void {
    this.linkEndListeners.push(listener)
  }

  /** Registers for devices that have left the registry; the listener must not throw or wait. */
  onForgotten(listener: (deviceId: DeviceId) => void): void {
    this.forgetListeners.push(listener)
  }

  /** The unit of an open link has joined: from now on it may be sent to. The ingress calls it once. */
  ready(link: Link): void {
    if (!this.entries.get(link.deviceId)?.links.includes(link)) return
    for (const listener of this.linkListeners) listener(link)
  }

  /**
   * Takes in a new link.
   * @param isExclusive the newest wins: older links of the device are told `replaced` and closed
   * @returns false: refused, since the device's links were replaced too often within a minute (nothing was changed)
   */
  open(link: Link, isExclusive: boolean): boolean {
    const now = this.now()
    const entry = this.entryOf(link.deviceId)
    if (isExclusive && !this.mayReplace(entry, now)) return false
    const older = isExclusive ? entry.links : []
    this.overtake(entry, now)
    entry.links = isExclusive ? [link] : [...entry.links, link]
    this.metrics.openLinks.inc({ transport: link.transport })
    this.see(entry, now)
    for (const one of older) {
      this.metrics.openLinks.dec({ transport: one.transport })
      this.metrics.linksReplaced.inc()
      this.closeLink(one, 'replaced')
      this.tellEnd(one)
    }
    this.updateOnline(entry, now)
    return true
  }

  /**
   * A connection ended.
   * @param endedBy `server`: its ingress ended it by itself; what was ended through {@link end} and the like is known
   */
  closed(link: Link, endedBy: LinkEnd = 'unit'): void {
    const entry = this.entries.get(link.deviceId)
    if (entry === undefined || !entry.links.includes(link)) return
    if (endedBy === 'server') this.endedHere.add(link)
    entry.links = entry.links.filter((one) => one !== link)
    this.metrics.openLinks.dec({ transport: link.transport })
    this.tellEnd(link)
    this.updateOnline(entry, this.now())
  }

  /**
   * A device was heard over a link.
   * @param link where links stay beside each other: when an older one and the newest are both heard on and on, the device is contested
   */
  heard(deviceId: DeviceId, link?: Link): void {
    const entry = this.entries.get(deviceId)
    if (entry === undefined) return
    const now = this.now()
    this.see(entry, now)
    if (link !== undefined && entry.links.length > 1) this.hearBeside(entry, link, now)
  }

  /** A device was heard over a way without links. */
  heardWithoutLink(deviceId: DeviceId, transport: Transport): void {
    const now = this.now()
    const entry = this.entryOf(deviceId)
    this.see(entry, now)
    entry.heardAtMs = now
    entry.heardTransport = transport
    if (!entry.isOnline) this.updateOnline(entry, now)
    if (entry.links.length === 0) this.heardOnly.add(entry)
  }

  /** The link that commands go to: the newest. */
  linkOf(deviceId: DeviceId): Link | undefined {
    return this.entries.get(deviceId)?.links.at(-1)
  }

  presenceOf(deviceId: DeviceId): Presence {
    const entry = this.entries.get(deviceId)
    if (entry === undefined) return { online: false, transport: null, lastSeenAtMs: null, contested: false }
    const now = this.now()
    const transport = transportOf(entry, now)
    return {
      online: transport !== null,
      transport,
      lastSeenAtMs: entry.lastSeenAtMs === 0 ? null : entry.lastSeenAtMs,
      contested: entry.contestedUntilMs > now,
    }
  }

  /** How many devices were online at the last {@link Sessions.sweep} and after it. */
  get onlineCount(): number {
    return this.online.size
  }

  /**
   * Ids of devices that are online, ascending byte by byte. One that was only heard may have gone offline since the last
   * {@link Sessions.sweep}.
   * @param after exclusive
   */
  listOnline(limit: number, after?: DeviceId): DeviceId[] {
    return this.online.list(limit, after)
  }

  /** Ends one link, unless it has ended. */
  end(link: Link, code: ClosingCode): void {
    if (this.entries.get(link.deviceId)?.links.includes(link)) this.closeLink(link, code)
  }

  /** Ends all links of a device. */
  endLinks(deviceId: DeviceId, code: ClosingCode): void {
    for (const link of this.entries.get(deviceId)?.links.slice() ?? []) this.closeLink(link, code)
  }

  /** Ends all links of a deleted device and forgets it; links that take a moment to close are let go of as they do. */
  forget(deviceId: DeviceId): void {
    this.endLinks(deviceId, 'device_disabled')
    for (const listener of this.forgetListeners) listener(deviceId)
    const entry = this.entries.get(deviceId)
    if (entry === undefined) return
    entry.heardTransport = null
    this.heardLately.delete(entry)
    this.updateOnline(entry, this.now())
    this.heardOnly.delete(entry)
    if (entry.links.length === 0) this.drop(entry)
  }

  /** Ends every link, of all ways in. */
  endAll(code: ClosingCode): void {
    for (const { links } of this.entries.values()) for (const link of links.slice()) this.closeLink(link, code)
  }

  /** How many last-heard times changed and were not taken yet. */
  get lastSeenCount(): number {
    return this.heardLately.size
  }

  /** Last-heard times that changed and were not taken yet, those that changed first before others; at most so many. */
  takeLastSeen(most: number): Array<{ deviceId: DeviceId; atMs: number }> {
    const taken: Array<{ deviceId: DeviceId; atMs: number }> = []
    for (const entry of this.heardLately) {
      if (taken.length >= most) break
      this.heardLately.delete(entry)
      taken.push({ deviceId: entry.deviceId, atMs: entry.lastSeenAtMs })
    }
    return taken
  }

  /** Lets go of those not heard for too long; call it every few seconds. */
  sweep(): void {
    const now = this.now()
    for (const entry of this.heardOnly) {
      if (entry.links.length > 0) this.heardOnly.delete(entry)
      else if (transportOf(entry, now) === null) {
        this.heardOnly.delete(entry)
        this.updateOnline(entry, now)
      }
    }
    for (const entry of this.offline) {
      if (this.heardLately.has(entry)) continue
      if (entry.contestedUntilMs <= now && entry.refusedUntilMs <= now) this.drop(entry)
    }
  }

  private mayReplace(entry: Entry, now: number): boolean {
    if (entry.refusedUntilMs > now) return false
    if (entry.links.length === 0) return true
    entry.replacedAtMs = entry.replacedAtMs.filter((at) => at > now - MINUTE_MS)
    if (entry.replacedAtMs.length < REPLACEMENTS_PER_MINUTE) {
      entry.replacedAtMs.push(now)
      return true
    }
    entry.refusedUntilMs = now + MINUTE_MS
    this.contest(entry, now)
    return false
  }

  private overtake(entry: Entry, now: number): void {
    for (const link of entry.links) if (!this.overtakenAtMs.has(link)) this.overtakenAtMs.set(link, now)
    entry.olderHeardAtMs = Number.NEGATIVE_INFINITY
  }

  /** A unit that comes back never speaks on its old link again: whoever does is another one. */
  private hearBeside(entry: Entry, link: Link, now: number): void {
    if (link === entry.links.at(-1)) {
      if (now - entry.olderHeardAtMs < CONTESTED_MS) this.contest(entry, now)
    } else if (now - (this.overtakenAtMs.get(link) ?? now) >= OVERLAP_MS) entry.olderHeardAtMs = now
  }

  private contest(entry: Entry, now: number): void {
    if (entry.contestedUntilMs <= now) this.metrics.devicesContested.inc()
    entry.contestedUntilMs = now + CONTESTED_MS
  }

  private see(entry: Entry, now: number): void {
    entry.lastSeenAtMs = now
    this.heardLately.add(entry)
  }

  private updateOnline(entry: Entry, now: number): void {
    const { deviceId } = entry
    const transport = transportOf(entry, now)
    const isOnline = transport !== null
    if (isOnline && entry.links.length === 0) this.heardOnly.add(entry)
    if (isOnline === entry.isOnline) return
    entry.isOnline = isOnline
    if (isOnline) {
      this.offline.delete(entry)
      this.online.add(deviceId)
    } else {
      this.online.delete(deviceId)
      this.offline.add(entry)
    }
    for (const listener of this.listeners) listener({ deviceId, online: isOnline, transport, atMs: now })
  }

  private closeLink(link: Link, code: ClosingCode): void {
    this.metrics.linksClosed.inc({ code })
    this.endedHere.add(link)
    link.close(code)
  }

  private tellEnd(link: Link): void {
    const endedBy = this.endedHere.has(link) ? 'server' : 'unit'
    for (const listener of this.linkEndListeners) listener(link, endedBy)
  }

  private entryOf(deviceId: DeviceId): Entry {
    const known = this.entries.get(deviceId)
    if (known !== undefined) return known
    const entry: Entry = {
      deviceId,
      links: [],
      lastSeenAtMs: 0,
      heardAtMs: 0,
      heardTransport: null,
      replacedAtMs: [],
      refusedUntilMs: 0,
      contestedUntilMs: 0,
      olderHeardAtMs: Number.NEGATIVE_INFINITY,
      isOnline: false,
    }
    this.entries.set(deviceId, entry)
    this.offline.add(entry)
    return entry
  }

  private drop(entry: Entry): void {
    this.offline.delete(entry)
    this.entries.delete(entry.deviceId)
  }
}

function transportOf(entry: Entry, now: number): Transport | null {
  const link = entry.links.at(-1)
  if (link !== undefined) return link.transport
  return entry.heardTransport !== null && now - entry.heardAtMs < HEARD_ONLINE_MS ? entry.heardTransport : null
}

import type { TrackerCodec } from '../../codecs/tracker-codec.js'
import type { DeviceId } from '../../model/device-id.js'
import { HEARD_ONLINE_MS } from '../../sessions/sessions.js'
import type { SentCommands } from './sent-commands.js'
import type { TrackerDevice } from './tracker-device.js'
import { TrackerLink } from './tracker-link.js'

/** Where a datagram came from, and where the answer goes. */
export interface DatagramSource {
  readonly address: string
  readonly port: number
}

/** What links need of the rest of the server. */
export interface DatagramLinksHost {
  readonly codec: Pick<TrackerCodec, 'encodeCommand'>
  readonly sent: SentCommands
  /** @returns false: it was not written */
  send(bytes: Buffer, source: DatagramSource, deviceId: DeviceId): boolean
  /** Whether commands have a way to it already. */
  isLinked(deviceId: DeviceId): boolean
  open(link: TrackerLink): void
  closed(link: TrackerLink): void
}

interface Entry {
  readonly link: TrackerLink
  source: DatagramSource
  heardAtMs: number
}

/**
 * Devices that can be spoken to at the address that their last datagram came from: for as long as networks on the way keep it open, and
 * while the answer to a command is waited for.
 */
export class DatagramLinks {
  private readonly entries = new Map<DeviceId, Entry>()

  constructor(
    private readonly host: DatagramLinksHost,
    private readonly now: () => number = Date.now,
  ) {}

  find(deviceId: DeviceId): TrackerLink | undefined {
    return this.entries.get(deviceId)?.link
  }

  /** The device was heard, and may be spoken to there, unless it has a connection: whose address cannot be made up. */
  hear(device: TrackerDevice, source: DatagramSource): void {
    const { deviceId } = device
    const known = this.entries.get(deviceId)
    if (known !== undefined) {
      known.source = source
      known.heardAtMs = this.now()
      return
    }
    if (this.host.isLinked(deviceId)) return
    const entry = { link: new TrackerLink(device, this.wireOf(deviceId)), source, heardAtMs: this.now() }
    this.entries.set(deviceId, entry)
    this.host.open(entry.link)
  }

  /** Ends those that were not heard for too long; call it every second. */
  tick(): void {
    const sinceMs = this.now() - HEARD_ONLINE_MS
    for (const [deviceId, { link, heardAtMs }] of this.entries)
      if (heardAtMs <= sinceMs && !link.isWaiting) this.end(deviceId)
  }

  close(): void {
    for (const deviceId of this.entries.keys()) this.end(deviceId)
  }

  private wireOf(deviceId: DeviceId) {
    return {
      codec: this.host.codec,
      sent: this.host.sent,
      transport: 'udp' as const,
      write: (bytes: Buffer) => {
        const entry = this.entries.get(deviceId)
        return entry !== undefined && this.host.send(bytes, entry.source, deviceId)
      },
      end: () => this.end(deviceId),
    }
  }

  private end(deviceId: DeviceId): void {
    const entry = this.entries.get(deviceId)
    if (entry === undefined) return
    this.entries.delete(deviceId)
    entry.link.ended()
    this.host.closed(entry.link)
  }
}

import { Injectable } from '@nestjs/common'
import type { DeviceId } from '../../model/device-id.js'
import { RawArchive } from '../../pipeline/raw-archive.js'

type Direction = 'in' | 'out'

/** Where a unit's bytes came from. */
export interface Peer {
  readonly address: string
  readonly port: number
}

/** Where a datagram belongs. */
export interface DatagramSource extends Peer {
  /** Already let in: nothing of others is archived, or anyone could fill the disk. */
  readonly deviceId: DeviceId
  readonly protocol: string
  /** When it came or went, epoch milliseconds. */
  readonly atMs: number
}

/** What goes over one connection, on its way to the archive. Nothing here throws or waits. */
export interface ConnectionFrames {
  /** @param atMs when it came or went, epoch milliseconds */
  take(direction: Direction, frame: Uint8Array, atMs: number): void
  /** The device is let in: what was taken before is of it, and so is what comes. Told once. */
  admit(deviceId: DeviceId): void
}

/** Frames that are held for a connection until it says who it is. */
const MOST_HELD_FRAMES = 16
const MOST_HELD_BYTES = 16_384

const NOT_ARCHIVED: ConnectionFrames = { take: () => undefined, admit: () => undefined }

/** What trackers say and are told, on its way to the archive. */
@Injectable()
export class FrameArchive {
  private connections = 0

  constructor(private readonly archive: RawArchive) {}

  openConnection(protocol: string, peer: Peer): ConnectionFrames {
    if (this.archive.takes === 'off') return NOT_ARCHIVED
    this.connections++
    return new HeldFrames(this.archive, protocol, `tcp:${nameOf(peer)}#${this.connections}`)
  }

  /** Never throws, never waits. */
  keepDatagram(direction: Direction, bytes: Uint8Array, { deviceId, protocol, atMs, ...peer }: DatagramSource): void {
    if (this.archive.takes === 'off') return
    this.archive.keep({ deviceId, protocol, atMs, direction, link: `udp:${nameOf(peer)}`, bytes })
  }
}

/** Of a connection that may not be let in: nothing of it is archived before. */
class HeldFrames implements ConnectionFrames {
  private deviceId: DeviceId | undefined
  private held: Array<{ readonly direction: Direction; readonly bytes: Uint8Array; readonly atMs: number }> = []
  private heldBytes = 0

  constructor(
    private readonly archive: RawArchive,
    private readonly protocol: string,
    private readonly link: string,
  ) {}

  take(direction: Direction, bytes: Uint8Array, atMs: number): void {
    if (this.deviceId !== undefined) this.keep(this.deviceId, direction, bytes, atMs)
    else if (this.held.length === 0 || this.isRoomFor(bytes)) this.hold(direction, bytes, atMs)
    else this.archive.drop('before_login')
  }

  admit(deviceId: DeviceId): void {
    this.deviceId = deviceId
    for (const { direction, bytes, atMs } of this.held) this.keep(deviceId, direction, bytes, atMs)
    this.held = []
  }

  private isRoomFor({ length }: Uint8Array): boolean {
    return this.held.length < MOST_HELD_FRAMES && this.heldBytes + length <= MOST_HELD_BYTES
  }

  /** A copy: the frame may be a few bytes of a large buffer, and the login may take its time. */
  private hold(direction: Direction, bytes: Uint8Array, atMs: number): void {
    this.held.push({ direction, bytes: Buffer.from(bytes), atMs })
    this.heldBytes += bytes.length
  }

  private keep(deviceId: DeviceId, direction: Direction, bytes: Uint8Array, atMs: number): void {
    this.archive.keep({ deviceId, atMs, direction, protocol: this.protocol, link: this.link, bytes })
  }
}

/** As in a URL, so that the colons of an address are none between it and the port. */
function nameOf({ address, port }: Peer): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`
}

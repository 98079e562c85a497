import type { DeviceId } from '../model/device-id.js'

/** What watchers are told of. */
export type LiveEventName = 'position' | 'presence' | 'alarm' | 'command' | 'video'

/** Where an event is, in degrees; what has no place is not filtered by one. */
export interface Point {
  readonly latitude: number
  readonly longitude: number
}

/** An event as it goes to the wire; made once, however many watchers get it. */
export interface EncodedEvent {
  /** The socket.io packet as text. */
  readonly text: string
  readonly bytes: number
  /** What engine.io takes: the same as a ready websocket frame, so that it is not framed anew for each watcher. */
  readonly options: { compress: boolean; wsPreEncodedFrame: Buffer[] }
}

/** The namespace of users. */
export const LIVE_NAMESPACE = '/live'

const FIN_TEXT = 0x81
const LENGTH_IN_16_BITS = 126
const LENGTH_IN_64_BITS = 127

/** One thing that watchers may be told. */
export class LiveEvent {
  /** Order of delivery; given when the event is delivered. */
  seq = 0
  private encoded: EncodedEvent | undefined

  /**
   * @param subject what the event is the news of; a newer event of the same subject stands for an older one
   * @param payload called at most once, and only if somebody is to get the event
   */
  constructor(
    readonly name: LiveEventName,
    readonly subject: string,
    readonly deviceId: DeviceId,
    readonly point: Point | undefined,
    private readonly payload: () => unknown,
  ) {}

  encode(): EncodedEvent {
    if (this.encoded === undefined) {
      const text = `2${LIVE_NAMESPACE},${JSON.stringify([this.name, this.payload()])}`
      const message = Buffer.from(`4${text}`)
      this.encoded = {
        text,
        bytes: message.length,
        options: { compress: false, wsPreEncodedFrame: [frameHeader(message.length), message] },
      }
    }
    return this.encoded
  }
}

/** Header of a whole, unmasked text frame (RFC 6455, 5.2). */
function frameHeader(length: number): Buffer {
  if (length < LENGTH_IN_16_BITS) return Buffer.from([FIN_TEXT, length])
  if (length < 65_536) return Buffer.from([FIN_TEXT, LENGTH_IN_16_BITS, length >> 8, length & 0xff])
  const header = Buffer.alloc(10)
  header[0] = FIN_TEXT
  header[1] = LENGTH_IN_64_BITS
  header.writeBigUInt64BE(BigInt(length), 2)
  return header
}

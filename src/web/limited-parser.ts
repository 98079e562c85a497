import * as parser from 'socket.io-parser'

/** Stands in for the arguments of an event whose message was over the limit. */
export const TOO_LARGE = Symbol('message too large')

const EVENT_PREFIX = /^2(?:(\/[^,]*),)?(\d{1,15})?\["((?:[^"\\]|\\.){1,100})"/
const PREFIX_LENGTH = 400
const NO_EVENT = 'oversized packet that is neither an event nor an answer'
const ACK_PREFIX = String(parser.PacketType.ACK)

/**
 * Encoder and decoder for the server's side of the plain socket.io protocol: what is on the wire does not change. An event larger
 * than the limit is not parsed; its handler gets {@link TOO_LARGE} instead of its arguments, so that it can answer the unit's ack.
 * An answer of a unit is parsed up to what a message may have at all: nobody could tell the unit what is wrong with it, and a link
 * that is cut for it would be cut again for the same answer on the next one. With larger attachments it is {@link TOO_LARGE}.
 * @param maxBytes largest event in bytes of UTF-8, and of all its binary attachments
 */
export function limitedParser(maxBytes: number) {
  class LimitedDecoder extends parser.Decoder {
    /** Of the attachments of the event that is being put together. */
    private attachedBytes = 0

    constructor() {
      super()
      this.on('decoded', this.mark)
    }

    override add(chunk: Parameters<parser.Decoder['add']>[0]): void {
      const part: unknown = chunk
      if (typeof part !== 'string') {
        super.add(this.kept(part))
        return
      }
      this.attachedBytes = 0
      if (part.length <= maxBytes / 3 || part.startsWith(ACK_PREFIX) || Buffer.byteLength(part) <= maxBytes)
        super.add(chunk)
      else this.emitReserved('decoded', tooLargePacket(part))
    }

    /** Before those who want the packet: listeners are called in the order of their coming. */
    private mark(packet: parser.Packet): void {
      if (this.attachedBytes <= maxBytes) return
      packet.data = packet.type === parser.PacketType.EVENT ? [packet.data[0], TOO_LARGE] : [TOO_LARGE]
    }

    /** What is over the limit is not held until the rest has come. */
    private kept(attachment: unknown): unknown {
      if (ArrayBuffer.isView(attachment) || attachment instanceof ArrayBuffer)
        this.attachedBytes += attachment.byteLength
      return this.attachedBytes > maxBytes ? Buffer.alloc(0) : attachment
    }
  }
  return { Encoder: parser.Encoder, Decoder: LimitedDecoder }
}

/** @throws Error when it is not even an event; socket.io then ends the link, as it does with any malformed packet */
function tooLargePacket(text: string): parser.Packet {
  const match = EVENT_PREFIX.exec(text.slice(0, PREFIX_LENGTH))
  if (match === null) throw new Error(NO_EVENT)
  const [, nsp, id, event] = match
  const packet = { type: parser.PacketType.EVENT, nsp: nsp ?? '/', data: [event, TOO_LARGE] }
  return id === undefined ? packet : { ...packet, id: Number(id) }
}

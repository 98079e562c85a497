import * as parser from 'socket.io-parser'

/** Stands in for the arguments of an event whose message was over the limit. */
export const TOO_LARGE = Symbol('message too large')

const EVENT_PREFIX = /^2(?:(\/[^,]*),)?(\d{1,15})?\["((?:[^"\\]|\\.){1,100})"/
const PREFIX_LENGTH = 400

/**
 * Encoder and decoder for the server's side of the plain socket.io protocol: what is on the wire does not change. An event larger
 * than the limit is not parsed; its handler gets {@link TOO_LARGE} instead of its arguments, so that it can answer the unit's ack.
 * @param maxBytes largest event in bytes of UTF-8
 */
export function limitedParser(maxBytes: number) {
  class LimitedDecoder extends parser.Decoder {
    override add(chunk: Parameters<parser.Decoder['add']>[0]): void {
      const text: unknown = chunk
      if (typeof text !== 'string' || text.length <= maxBytes / 3 || Buffer.byteLength(text) <= maxBytes) {
        super.add(chunk)
        return
      }
      this.emitReserved('decoded', tooLargePacket(text))
    }
  }
  return { Encoder: parser.Encoder, Decoder: LimitedDecoder }
}

/** @throws Error when it is not even an event; socket.io then ends the link, as it does with any malformed packet */
function tooLargePacket(text: string): parser.Packet {
  const match = EVENT_PREFIX.exec(text.slice(0, PREFIX_LENGTH))
  if (match === null) throw new Error('oversized packet that is no event')
  const [, nsp, id, event] = match
  const packet = { type: parser.PacketType.EVENT, nsp: nsp ?? '/', data: [event, TOO_LARGE] }
  return id === undefined ? packet : { ...packet, id: Number(id) }
}

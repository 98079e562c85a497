import type { TrackerCodec } from '../../codecs/tracker-codec.js'

/** A codec whose protocol has datagrams. */
export type DatagramCodec = TrackerCodec & Required<Pick<TrackerCodec, 'decodeDatagram'>>

export function hasDatagrams(codec: TrackerCodec): codec is DatagramCodec {
  return codec.decodeDatagram !== undefined
}

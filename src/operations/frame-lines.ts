import { formatTime } from '../model/time.js'
import type { StoredRawFrame } from '../storage/frames/raw-frame-store.js'

/** A frame as a line of a file: `<ISO time> <in|out> <protocol> <link> <hex>`. */
export function frameLine({ atMs, direction, protocol, link, bytes }: StoredRawFrame): string {
  return `${formatTime(atMs)} ${direction} ${protocol} ${link} ${hexOf(bytes)}\n`
}

export function hexOf({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('hex')
}

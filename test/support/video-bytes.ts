import { createHash, randomBytes } from 'node:crypto'

/** How an MP4 file begins. */
const HEAD = Buffer.concat([
  Buffer.from([0, 0, 0, 0x18]),
  Buffer.from('ftypisom', 'latin1'),
  Buffer.from([0, 0, 2, 0]),
  Buffer.from('isommp41', 'latin1'),
])

/** A file that is an MP4 by its first bytes and random otherwise, so that no two are the same. */
export function videoBytes(length: number): Buffer {
  return Buffer.concat([HEAD, randomBytes(Math.max(0, length - HEAD.length))]).subarray(0, length)
}

/** The same as a stream of pieces, for files that no test should hold. */
export async function* videoStream(length: number, pieceBytes = 65_536): AsyncGenerator<Buffer> {
  const piece = videoBytes(pieceBytes)
  for (let sent = 0; sent < length; sent += piece.length) yield piece.subarray(0, length - sent)
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Of a `Content-Digest` header. */
export function digestOf(bytes: Uint8Array): string {
  return `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`
}

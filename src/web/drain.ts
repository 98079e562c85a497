import type { Readable } from 'node:stream'

/** Reads no more than this of what will be thrown away. */
export const DRAIN_BYTES = 8_388_608
const DRAIN_MS = 5000

/**
 * Throws away what a client is still sending, a little of it: one that is cut while it writes never reads the answer, and behind a
 * proxy it becomes the proxy's own error. Resolves when all is read, or enough, or it takes too long.
 */
export function drain(stream: Readable): Promise<void> {
  if (stream.readableEnded || stream.destroyed) return Promise.resolve()
  return new Promise((resolve) => {
    let bytes = 0
    // Reads by itself, so that it works whoever read before and however that one stopped.
    const take = () => {
      for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) bytes += (chunk as Buffer).length
      if (bytes > DRAIN_BYTES) done()
    }
    const done = () => {
      clearTimeout(timer)
      stream.off('readable', take).off('end', done).off('close', done)
      resolve()
    }
    const timer = setTimeout(done, DRAIN_MS)
    stream.on('readable', take).once('end', done).once('close', done)
  })
}

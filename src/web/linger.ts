import type { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'

/** Reads no more than this of what will be thrown away. */
export const LINGER_BYTES = 8_388_608
const LINGER_MS = 5000
const LOOK_EVERY_MS = 20

/**
 * Lets the connection of a request, which is answered before its body was read, end gently: the answer and the end of our side go out
 * at once, and what the client is still sending is thrown away, a little of it. One that is cut while it writes may never read the
 * answer, and behind a proxy it becomes the proxy's own error. The answer must carry `Connection: close`.
 */
export function lingerAfter(request: IncomingMessage): void {
  const { socket } = request
  if (!(socket instanceof Socket)) return
  // What Node calls once the answer is out; its own one cuts.
  socket.destroySoon = () => {
    socket.end()
    // Whoever read the body may have left in the middle of waiting for more of it.
    request.removeAllListeners('readable').resume()
    const enough = socket.bytesRead + LINGER_BYTES
    const endMs = performance.now() + LINGER_MS
    const timer = setInterval(() => {
      if (request.complete || socket.bytesRead > enough || performance.now() > endMs) socket.destroy()
    }, LOOK_EVERY_MS)
    socket.once('close', () => clearInterval(timer))
  }
}

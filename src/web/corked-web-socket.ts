import { WebSocket, WebSocketServer } from 'ws'

/** The part of ws's socket that is used here and that its types leave out. */
interface WithStream {
  readonly _socket: { cork(): void; uncork(): void } | null
}

/**
 * The server's side of a WebSocket whose messages of one turn leave together. Acknowledgements come in groups, since commits do,
 * and a system call for each was the largest single cost of an event. Nothing waits for more to come: what was sent has left
 * before the event loop goes on.
 */
class CorkedWebSocket extends WebSocket {
  private isCorked = false

  override send(data: Parameters<WebSocket['send']>[0], ...rest: never[]): void {
    this.cork()
    super.send(data, ...rest)
  }

  private cork(): void {
    const stream = (this as unknown as WithStream)._socket
    if (this.isCorked || stream === null) return
    this.isCorked = true
    stream.cork()
    process.nextTick(() => {
      this.isCorked = false
      stream.uncork()
    })
  }
}

/** For engine.io's option `wsEngine`. */
export class CorkedWebSocketServer extends WebSocketServer<typeof CorkedWebSocket> {
  constructor(options: ConstructorParameters<typeof WebSocketServer>[0]) {
    super({ ...options, WebSocket: CorkedWebSocket })
  }
}

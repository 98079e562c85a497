import type { Server as HttpServer } from 'node:http'
import { Injectable } from '@nestjs/common'
import { Server } from 'socket.io'
import { AppConfig } from '../config/app-config.js'
import { CorkedWebSocketServer } from './corked-web-socket.js'
import { allowedOrigins } from './cors.js'
import { limitedParser } from './limited-parser.js'

/** An event over this is answered `message_too_large`. */
export const MAX_EVENT_BYTES = 1_048_576
/** A message over this cuts the link without words. */
const MAX_MESSAGE_BYTES = 4 * 1_048_576
const CONNECT_TIMEOUT_MS = 20_000

/** The one socket.io server: units on the default namespace, users on `/live`. Each namespace belongs to the room that speaks on it. */
@Injectable()
export class SocketServer {
  readonly io: Server

  constructor(config: AppConfig) {
    const origin = allowedOrigins(config)
    this.io = new Server({
      serveClient: false,
      // Compression costs some 100 KB of memory a link and wins little on messages this small.
      perMessageDeflate: false,
      httpCompression: false,
      wsEngine: CorkedWebSocketServer,
      maxHttpBufferSize: MAX_MESSAGE_BYTES,
      allowEIO3: config.SOCKET_ALLOW_EIO3,
      connectTimeout: CONNECT_TIMEOUT_MS,
      parser: limitedParser(MAX_EVENT_BYTES),
      cors: origin === undefined ? undefined : { origin, credentials: false },
    })
  }

  /** Serves sockets on the server that serves REST. */
  attach(server: HttpServer): void {
    this.io.attach(server)
  }

  /** Ends every connection; the HTTP server itself is closed by its owner. */
  disconnectAll(): void {
    this.io.disconnectSockets(true)
    this.io.engine?.close()
  }
}

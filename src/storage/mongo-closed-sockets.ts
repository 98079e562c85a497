import type { Socket } from 'node:net'
import type { mongo } from 'mongoose'

/** A connection inside the driver, as far as it is mended. */
export interface DriverConnection {
  readonly socket: Socket
  writeCommand(...command: unknown[]): Promise<void>
}

const mended = new WeakSet<object>()

/**
 * Lets no command wait for ever on a socket that is gone. The driver (7.8) sends, and when the socket does not take all at once it waits
 * until that drains or fails. One that its server has closed does neither: it only closes. So a heartbeat that was asked for while the
 * sockets of a server that ended were closing, one after the other, never ended, no other was begun, and the server counted as away until
 * a restart; a write that met the same moment held up all that came behind it. Now the wait ends with the socket, and the driver, which
 * looks at the connection next, finds it closed and says so.
 * @param client one that is connected; what is mended are the connections of all clients
 */
export function mendClosedSockets(client: mongo.MongoClient): void {
  const connection = monitoringConnectionOf(client)
  if (connection === undefined) return
  const prototype = Object.getPrototypeOf(connection) as DriverConnection
  if (mended.has(prototype)) return
  mended.add(prototype)
  const { writeCommand } = prototype
  prototype.writeCommand = async function (this: DriverConnection, ...command) {
    const { socket } = this
    const endWait = () => socket.emit('drain')
    socket.once('close', endWait)
    try {
      await writeCommand.apply(this, command)
    } finally {
      socket.off('close', endWait)
    }
  }
}

/** The one over which the driver asks a server how it is; undefined: none of them is open, or the driver is made otherwise. */
export function monitoringConnectionOf(client: mongo.MongoClient): DriverConnection | undefined {
  for (const { monitor } of serversOf(client)) {
    if (typeof monitor?.connection?.writeCommand === 'function') return monitor.connection
  }
  return undefined
}

interface DriverServer {
  readonly monitor?: { readonly connection?: DriverConnection | null }
}

function serversOf(client: mongo.MongoClient): Iterable<DriverServer> {
  const { topology } = client as unknown as { topology?: { s?: { servers?: Map<string, DriverServer> } } }
  return topology?.s?.servers?.values() ?? []
}

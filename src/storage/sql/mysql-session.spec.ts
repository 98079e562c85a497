import { once } from 'node:events'
import type net from 'node:net'
import { type Connection, createServer } from 'mysql2'
import { openMysqlDataSource } from './open-mysql-data-source.js'

const CAPABILITIES_WITHOUT_TLS = 0xff_f7ff
const TEXT = 0xfd

interface FakeServer {
  readonly url: string
  close(): Promise<void>
}

/** What the driver does not tell of a connection that answers. */
interface Answering {
  sequenceId: number
  writeTextResult(rows: readonly object[], columns: readonly object[]): void
}

/** Speaks the protocol of an old server that knows no collation of ours. */
async function startOldServer(version: string): Promise<FakeServer> {
  let threads = 0
  const server = createServer((connection: Connection) => {
    threads++
    connection.on('error', () => undefined)
    connection.serverHandshake({
      protocolVersion: 10,
      serverVersion: version,
      connectionId: threads,
      statusFlags: 2,
      characterSet: 45,
      capabilityFlags: CAPABILITIES_WITHOUT_TLS,
    })
    connection.on('query', (sql: string) => {
      const isOfVersion = sql.includes('VERSION()')
      const name = isOfVersion ? 'version' : 'COLLATION_NAME'
      const column = { catalog: 'def', schema: '', table: '', orgTable: '', columnType: TEXT, flags: 0, decimals: 0 }
      const answering = connection as unknown as Answering
      // The driver's server counts on over the packets of all statements; clients begin each anew.
      answering.sequenceId = 1
      answering.writeTextResult(isOfVersion ? [{ version }] : [], [
        { ...column, name, orgName: name, characterSet: 45, columnLength: 64 },
      ])
      answering.sequenceId = 0
    })
  })
  const { _server: socket } = server as unknown as { readonly _server: net.Server }
  socket.listen(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    url: `mysql://root@127.0.0.1:${(socket.address() as net.AddressInfo).port}/milepost`,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  }
}

describe('a server that is too old', () => {
  let server: FakeServer
  afterEach(() => server.close())

  it.each([
    ['5.7.44', 'utf8mb4_0900_bin'],
    ['10.1.48-MariaDB', 'utf8mb4_nopad_bin'],
  ])('such as %s is refused at the start, in one line', async (version, collation) => {
    server = await startOldServer(version)
    const { host } = new URL(server.url)

    await expect(openMysqlDataSource({ url: server.url, tls: 'off', poolSize: 2 })).rejects.toMatchObject({
      exitCode: 69,
      message: `cannot open mysql://${host}/milepost: version ${version} has no collation ${collation}: MySQL 8.0.17 or MariaDB 10.2 at least`,
    })
  })
})

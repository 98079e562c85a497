import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { mongo } from 'mongoose'
import { FakeMongoServer } from '../../test/stores/fake-mongo-server.js'
import { monitoringConnectionOf } from './mongo-closed-sockets.js'
import { type MongoConnection, openMongoConnection } from './mongo-connection.js'

/** The driver asks no sooner again than this after it asked. */
const PAUSE_MS = 600

let server: FakeMongoServer
let connection: MongoConnection
let client: mongo.MongoClient

beforeEach(async () => {
  server = await FakeMongoServer.open(() => undefined)
  connection = await openMongoConnection({ url: server.url })
  client = connection.connection.getClient()
})
afterEach(async () => {
  await connection.close()
  await server.close()
})

/** Lets the driver ask at once how its servers are, as it does when an operation finds a connection closed. */
function askNow(): void {
  const { topology } = client as unknown as { topology: { s: { servers: Map<string, { requestCheck(): void }> } } }
  for (const each of topology.s.servers.values()) each.requestCheck()
}

describe('a socket that its server has closed', () => {
  it('does not keep a heartbeat for ever that is asked for before it says so', async () => {
    await sleep(PAUSE_MS)
    const failed = once(client, 'serverHeartbeatFailed')
    const monitoring = monitoringConnectionOf(client)
    monitoring?.socket.destroy()
    askNow()
    const [{ failure }] = (await failed) as [{ failure: Error }]
    expect(failure.message).toMatch(/closed$/)
    await once(client, 'serverHeartbeatSucceeded')
    expect(monitoringConnectionOf(client)).not.toBe(monitoring)
    expect(await connection.database.command({ ping: 1 })).toMatchObject({ ok: 1 })
  })

  it('does not keep a command for ever that waits until all of it is taken', async () => {
    const monitoring = monitoringConnectionOf(client)
    if (monitoring === undefined) throw new Error('the driver is made otherwise: look at mendClosedSockets')
    jest.spyOn(monitoring.socket, 'write').mockReturnValue(false)
    const written = monitoring.writeCommand({ toBin: async () => [Buffer.alloc(9)] }, { agreedCompressor: 'none' })
    await sleep(20)
    monitoring.socket.destroy()
    await written
  })
})

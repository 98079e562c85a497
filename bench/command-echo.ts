import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import { Server, type Socket } from 'socket.io'

/**
 * The floor of commands: a request that becomes one socket.io event with an acknowledgement, whose answer is the request's. Parses,
 * sends and answers; nothing is stored, checked or told to anybody else. A unit's token is its id.
 */
const app = Fastify()
const io = new Server({ serveClient: false, perMessageDeflate: false, httpCompression: false })
const units = new Map<string, Socket>()

io.on('connection', (socket) => {
  units.set(String(socket.handshake.auth.token), socket)
})

app.post<{ Params: { deviceId: string }; Body: { type: string } }>(
  '/api/v1/devices/:deviceId/commands',
  async ({ params: { deviceId }, body: { type } }) => {
    const order = { id: '019ab2f4c3e8000001d2c3b4a5968778', type, params: {}, expiresAt: '2026-11-23T07:30:00.000Z' }
    const reply: unknown = await units.get(deviceId)?.timeout(10_000).emitWithAck('command', order)
    return { ...order, deviceId, ...(reply as object) }
  },
)

await app.listen({ port: 0, host: '127.0.0.1' })
io.attach(app.server)
process.stdout.write(`echo listens on http://127.0.0.1:${(app.server.address() as AddressInfo).port}\n`)
process.once('SIGTERM', () => process.exit(0))

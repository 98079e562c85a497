import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server } from 'socket.io'

type Ack = (answer?: unknown) => void

/** As the product's of an alarm. */
const ALARM_ACK = { id: '019aa9f3b2c2000001b7e2a41d7f3c55', duplicate: false }

/** The floor: socket.io with the product's transport options, that acknowledges every `location` and `alarm` at once and does nothing else. */
const http = createServer()
const io = new Server({ serveClient: false, perMessageDeflate: false, httpCompression: false })
io.on('connection', (socket) => {
  socket.on('location', (_payload: unknown, ack: Ack) => ack())
  socket.on('alarm', (_payload: unknown, ack: Ack) => ack(ALARM_ACK))
})
io.attach(http)
http.listen(0, '127.0.0.1', () => {
  process.stdout.write(`echo listens on http://127.0.0.1:${(http.address() as AddressInfo).port}\n`)
})
process.once('SIGTERM', () => process.exit(0))

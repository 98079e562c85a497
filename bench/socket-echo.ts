import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server } from 'socket.io'

type Ack = () => void

/** The floor: socket.io with the product's transport options, that acknowledges every `location` at once and does nothing else. */
const http = createServer()
const io = new Server({ serveClient: false, perMessageDeflate: false, httpCompression: false })
io.on('connection', (socket) => {
  socket.on('location', (_payload: unknown, ack: Ack) => ack())
})
io.attach(http)
http.listen(0, '127.0.0.1', () => {
  process.stdout.write(`echo listens on http://127.0.0.1:${(http.address() as AddressInfo).port}\n`)
})
process.once('SIGTERM', () => process.exit(0))

import { type AddressInfo, createServer } from 'node:net'

const LOGIN_BYTES = 17
const HEADER_BYTES = 8
const FRAME_BYTES = 12
const COUNT_AT = 9
const LET_IN = Buffer.of(1)

/** The floor: a bare server that cuts Teltonika's stream into packets and answers each with its count at once, and does nothing else. */
const server = createServer({ noDelay: true }, (socket) => {
  let waiting: Buffer = Buffer.alloc(0)
  let isLetIn = false
  socket.on('error', () => undefined)
  socket.on('data', (chunk) => {
    let bytes = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk])
    for (;;) {
      const length = isLetIn ? packetBytes(bytes) : LOGIN_BYTES
      if (length === undefined || bytes.length < length) break
      socket.write(isLetIn ? countOf(bytes) : LET_IN)
      isLetIn = true
      bytes = bytes.subarray(length)
    }
    waiting = bytes
  })
})
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  process.stdout.write(`echo listens on http://127.0.0.1:${(server.address() as AddressInfo).port}\n`)
})
process.once('SIGTERM', () => process.exit(0))

function packetBytes(bytes: Buffer): number | undefined {
  return bytes.length < HEADER_BYTES ? undefined : bytes.readUInt32BE(4) + FRAME_BYTES
}

function countOf(packet: Buffer): Buffer {
  const answer = Buffer.allocUnsafe(4)
  answer.writeUInt32BE(packet[COUNT_AT] ?? 0)
  return answer
}

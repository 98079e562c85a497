import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import mongoose, { type mongo } from 'mongoose'

const { BSON } = mongoose.mongo
const HEADER_BYTES = 16
const OP_REPLY = 1
const OP_QUERY = 2004
const OP_MSG = 2013

/** What a command is answered with; undefined: as a server does that all is well with. */
export type Answer = (command: mongo.Document) => Said | Promise<Said>
type Said = mongo.Document | undefined

/** Speaks MongoDB's protocol, and answers as a test says: the driver then makes of it what it makes of a real server's answers. */
export class FakeMongoServer {
  /** Names of the commands that came, but for the driver's own. */
  readonly commands: string[] = []
  private readonly sockets = new Set<Socket>()

  private constructor(
    private readonly server: Server,
    private readonly answer: Answer,
  ) {}

  static async open(answer: Answer): Promise<FakeMongoServer> {
    const server = createServer()
    const fake = new FakeMongoServer(server, answer)
    server.on('connection', (socket) => fake.serve(socket))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return fake
  }

  get url(): string {
    return `mongodb://127.0.0.1:${(this.server.address() as AddressInfo).port}/milepost?directConnection=true`
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    this.server.close()
    await once(this.server, 'close')
  }

  private serve(socket: Socket): void {
    this.sockets.add(socket)
    let waiting = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('close', () => this.sockets.delete(socket))
    socket.on('data', (bytes) => {
      waiting = Buffer.concat([waiting, bytes])
      while (waiting.length >= HEADER_BYTES && waiting.length >= waiting.readInt32LE(0)) {
        const message = waiting.subarray(0, waiting.readInt32LE(0))
        waiting = waiting.subarray(message.length)
        void this.reply(message).then((answer) => socket.destroyed || socket.write(answer))
      }
    })
  }

  private async reply(message: Buffer): Promise<Buffer> {
    const isQuery = message.readInt32LE(12) === OP_QUERY
    const document = BSON.serialize(await this.answerTo(isQuery ? readQuery(message) : readMessage(message)))
    const before = isQuery ? Buffer.from([8, ...Array(15).fill(0), 1, 0, 0, 0]) : Buffer.alloc(5)
    const header = Buffer.alloc(HEADER_BYTES)
    header.writeInt32LE(HEADER_BYTES + before.length + document.length, 0)
    header.writeInt32LE(message.readInt32LE(4), 8)
    header.writeInt32LE(isQuery ? OP_REPLY : OP_MSG, 12)
    return Buffer.concat([header, before, document])
  }

  private async answerTo(command: mongo.Document): Promise<mongo.Document> {
    const [name = ''] = Object.keys(command)
    if (/^(hello|isMaster|ismaster)$/.test(name)) return { ...HELLO, ...(await this.answer(command)) }
    if (!/^(endSessions|ping)$/.test(name)) this.commands.push(name)
    return { ok: 1, ...((await this.answer(command)) ?? usually(name, command)) }
  }
}

const HELLO = {
  ok: 1,
  helloOk: true,
  isWritablePrimary: true,
  ismaster: true,
  minWireVersion: 0,
  maxWireVersion: 21,
  maxBsonObjectSize: 16_777_216,
  maxMessageSizeBytes: 48_000_000,
  maxWriteBatchSize: 100_000,
  readOnly: false,
}

function usually(name: string, command: mongo.Document): mongo.Document {
  const cursor = { id: 0n, ns: `milepost.${command[name]}`, firstBatch: [] }
  if (name === 'buildInfo') return { version: '8.0.0' }
  if (name === 'serverStatus') return { storageEngine: { name: 'wiredTiger' } }
  if (name === 'insert') return { n: command.documents.length }
  if (name === 'update') return { n: command.updates.length, nModified: command.updates.length }
  if (/^(find|aggregate|listIndexes)$/.test(name)) return { cursor }
  return {}
}

function readQuery(message: Buffer): mongo.Document {
  const name = message.indexOf(0, HEADER_BYTES + 4)
  return BSON.deserialize(message.subarray(name + 1 + 8))
}

/** A body, and lists of documents beside it. */
function readMessage(message: Buffer): mongo.Document {
  let at = HEADER_BYTES + 4
  let command: mongo.Document = {}
  while (at < message.length) {
    const kind = message[at++]
    const end = at + message.readInt32LE(at)
    if (kind === 0) command = { ...BSON.deserialize(message.subarray(at, end)), ...command }
    else {
      const nameEnd = message.indexOf(0, at + 4)
      const documents: mongo.Document[] = []
      for (let next = nameEnd + 1; next < end; next += message.readInt32LE(next))
        documents.push(BSON.deserialize(message.subarray(next, next + message.readInt32LE(next))))
      command = { ...command, [message.toString('utf8', at + 4, nameEnd)]: documents }
    }
    at = end
  }
  return command
}

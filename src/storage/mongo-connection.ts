import { Logger } from '@nestjs/common'
import mongoose, { type Connection, type mongo } from 'mongoose'
import { mendClosedSockets } from './mongo-closed-sockets.js'
import { reasonOf } from './mongo-errors.js'
import { findDurabilityFault, type MongoServer, probeDurableWrite, readServer } from './mongo-server.js'
import { StoreOpenError } from './store-open-error.js'

export interface MongoConnectionOptions {
  /** `mongodb://user:password@host:27017/database?options`. What it says of durability and of where reads go is overruled. */
  readonly url: string
}

/**
 * Together with the limit of a call (7 s) these keep every call well within 10 s: a server that is away is noticed after 3 s, one that
 * is silent after 5 s, and no write waits longer than 5 s for a majority.
 */
const LIMITS = {
  serverSelectionTimeoutMS: 3000,
  connectTimeoutMS: 3000,
  socketTimeoutMS: 5000,
  waitQueueTimeoutMS: 3000,
  heartbeatFrequencyMS: 2000,
  maxPoolSize: 20,
  maxConnecting: 4,
} as const
const MAJORITY_WITHIN_MS = 5000
const CONCERNS = {
  appName: 'milepost',
  readPreference: 'primary',
  readConcern: { level: 'local' },
} as const

/** A connection that several stores use; it is closed when the last of them is, or by {@link MongoConnection.close}. */
export class MongoConnection {
  private readonly logger = new Logger('mongo')
  private users = 0
  private isClosing = false

  constructor(
    /** Hosts and database, without a password: for messages. */
    readonly address: string,
    readonly connection: Connection,
    readonly server: MongoServer,
    private readonly url: string,
  ) {
    connection.on('disconnected', () => {
      if (!this.isClosing) this.logger.warn({ event: 'mongo_lost', server: address })
    })
    connection.on('reconnected', () => this.logger.log({ event: 'mongo_back', server: address }))
  }

  /** The database, for what is faster without mongoose's documents. */
  get database(): mongo.Db {
    const { db } = this.connection
    if (!db) throw new Error('the connection was not opened')
    return db
  }

  /**
   * Acts over a connection of its own that waits for an answer however long it takes, such as for an index of a large collection. A
   * server that dies meanwhile is noticed: the connection breaks, or the system finds its other end gone.
   */
  async withPatience<T>(act: (database: mongo.Db) => Promise<T>): Promise<T> {
    const client = new mongoose.mongo.MongoClient(this.url, {
      ...LIMITS,
      ...CONCERNS,
      socketTimeoutMS: 0,
      maxPoolSize: 1,
      writeConcern: { w: 'majority', journal: true },
    })
    try {
      await client.connect()
      return await act(client.db(this.database.databaseName))
    } finally {
      await client.close()
    }
  }

  /** Notes one more store on this connection. */
  retain(): void {
    this.users++
  }

  /** A store is done with it. */
  async release(): Promise<void> {
    this.users--
    if (this.users <= 0) await this.close()
  }

  /** Closes it unless a store uses it, which then closes it in its time. */
  async closeUnused(): Promise<void> {
    if (this.users <= 0) await this.close()
  }

  /** What is under way on it fails. */
  async close(): Promise<void> {
    if (this.isClosing) return
    this.isClosing = true
    await this.connection.close()
  }
}

/**
 * Connects, and looks whether what the server acknowledges is on disk. Every write is `w: majority, j: true`, every read goes to the
 * primary and sees what was acknowledged.
 * @throws StoreOpenError naming the server without its password
 */
export async function openMongoConnection({ url }: MongoConnectionOptions): Promise<MongoConnection> {
  const address = addressOf(url)
  const connection = mongoose.createConnection()
  // Errors also come to those who wait for something; without a listener they would end the process.
  connection.on('error', () => {})
  try {
    await connection.openUri(url, {
      ...LIMITS,
      ...CONCERNS,
      autoCreate: false,
      autoIndex: false,
      bufferCommands: false,
      writeConcern: { w: 'majority', journal: true, wtimeoutMS: MAJORITY_WITHIN_MS },
    })
    mendClosedSockets(connection.getClient())
    const server = await readDurableServer(address, connection)
    return new MongoConnection(address, connection, server, url)
  } catch (error) {
    await connection.close().catch(() => {})
    if (error instanceof StoreOpenError) throw error
    throw new StoreOpenError(address, reasonOf(error), { cause: error })
  }
}

async function readDurableServer(address: string, connection: Connection): Promise<MongoServer> {
  const concern = connection.getClient().options.writeConcern
  if (concern?.w !== 'majority' || concern.j !== true) {
    throw new StoreOpenError(
      address,
      'MONGO_URL asks for weaker writes than w=majority&journal=true: remove those options',
    )
  }
  const { db } = connection
  if (!db) throw new Error('the connection was not opened')
  const server = await readServer(db)
  const fault = await findDurabilityFault(server, () => probeDurableWrite(db))
  if (fault !== undefined) throw new StoreOpenError(address, fault)
  new Logger('mongo').log({ event: 'mongo_connected', server: address, ...server })
  return server
}

/** Several hosts are no URL, so that it is taken apart by hand. */
function addressOf(url: string): string {
  const [, scheme = 'mongodb://', hosts = '', database = ''] =
    /^(mongodb(?:\+srv)?:\/\/)(?:[^/]*@)?([^/?]*)(?:\/([^?]*))?/.exec(url) ?? []
  return `${scheme}${hosts}/${database}`
}

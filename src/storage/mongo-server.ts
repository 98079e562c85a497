import type { mongo } from 'mongoose'
import { codeOf, reasonOf } from './mongo-errors.js'

/** What a server says of itself. */
export interface MongoServer {
  readonly version: string
  /** `mongos`, the name of the replica set, or `standalone`. */
  readonly topology: string
  /** Name of the storage engine; undefined: the user may not ask. */
  readonly engine: string | undefined
  /** FerretDB, whose plans of a statement take longer than its parts do. */
  readonly isFerret: boolean
}

/** A tiny document that is written again and again: whoever gets it acknowledged gets everything acknowledged. */
const PROBED = { collection: 'health', id: 'probe' }
const NO_SUCH_COMMAND = 59

/** Writes one tiny document as durably as everything else is. */
export async function probeDurableWrite(database: mongo.Db): Promise<void> {
  const health = database.collection<{ _id: string; checkedAt: Date }>(PROBED.collection)
  await health.updateOne({ _id: PROBED.id }, { $set: { checkedAt: new Date() } }, { upsert: true })
}

/** @throws what the driver throws */
export async function readServer(database: mongo.Db): Promise<MongoServer> {
  const { version, ferretdb } = await database.command({ buildInfo: 1 })
  const hello = await sayHello(database)
  const topology = hello.msg === 'isdbgrid' ? 'mongos' : hello.setName
  return {
    version: String(version),
    topology: typeof topology === 'string' ? topology : 'standalone',
    engine: await readEngine(database),
    isFerret: ferretdb !== undefined,
  }
}

/**
 * Why what such a server acknowledges would not be on disk; undefined: nothing is known against it.
 * @param write the durable write to try
 */
export async function findDurabilityFault(
  server: MongoServer,
  write: () => Promise<void>,
): Promise<string | undefined> {
  if (server.engine !== undefined && IN_MEMORY.has(server.engine)) {
    return `its storage engine ${server.engine} keeps nothing on disk`
  }
  try {
    await write()
    return undefined
  } catch (error) {
    return `it does not confirm a write with w: majority, j: true: ${reasonOf(error)}`
  }
}

const IN_MEMORY: ReadonlySet<string> = new Set(['inMemory', 'ephemeralForTest', 'devnull'])

/** The old name of the command, where the new one is not known. */
async function sayHello(database: mongo.Db): Promise<mongo.BSON.Document> {
  try {
    return await database.command({ hello: 1 })
  } catch (error) {
    if (codeOf(error) !== NO_SUCH_COMMAND) throw error
    return database.command({ isMaster: 1 })
  }
}

/** A user without the right to look is not refused for that. */
async function readEngine(database: mongo.Db): Promise<string | undefined> {
  try {
    const { storageEngine } = await database.admin().command({ serverStatus: 1 })
    const name: unknown = storageEngine?.name
    return typeof name === 'string' ? name : undefined
  } catch {
    return undefined
  }
}

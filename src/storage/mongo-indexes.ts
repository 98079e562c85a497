import { Logger } from '@nestjs/common'
import type { Model } from 'mongoose'
import type { MongoConnection } from './mongo-connection.js'
import { codeOf, reasonOf } from './mongo-errors.js'
import { StoreOpenError } from './store-open-error.js'

const NAMESPACE_EXISTS = 48
const NOT_ALLOWED: ReadonlySet<unknown> = new Set([13, 8000])
/** Who waits is told so often that it goes on. */
const TOLD_EVERY_MS = 30_000
/** IndexOptionsConflict, IndexKeySpecsConflict. */
const CONFLICTS: ReadonlySet<unknown> = new Set([85, 86])

/**
 * Makes the collection of a model and the indexes of its schema where they are absent, and says in the log which there are. On a
 * large collection the server builds an index beside what is written meanwhile; the start waits for it, however long that takes.
 * @throws StoreOpenError naming the collection, the index and what to do
 */
export async function ensureIndexes<T>(connection: MongoConnection, model: Model<T>): Promise<void> {
  const { address, database } = connection
  const name = model.collection.collectionName
  const collection = database.collection(name)
  await attempt(address, `the collection ${name}`, async () => {
    await database.createCollection(name).catch((error: unknown) => {
      if (codeOf(error) !== NAMESPACE_EXISTS) throw error
    })
  })
  for (const [fields, options] of model.schema.indexes()) {
    const keys = fields as Record<string, 1 | -1>
    const indexName = String(options.name)
    await attempt(address, `the index ${indexName} of ${name}`, () =>
      tellingThatItWaits({ collection: name, index: indexName }, () =>
        connection.withPatience((patient) => patient.collection(name).createIndex(keys, { name: indexName })),
      ),
    )
  }
  const indexes = await attempt(address, `the indexes of ${name}`, () => collection.indexes())
  new Logger('mongo').log({ event: 'mongo_indexes', collection: name, indexes: indexes.map((index) => index.name) })
}

async function tellingThatItWaits<T>(what: object, work: () => Promise<T>): Promise<T> {
  const startMs = performance.now()
  const timer = setInterval(() => {
    const waitedS = Math.round((performance.now() - startMs) / 1000)
    new Logger('mongo').log({ event: 'mongo_index_building', ...what, waitedS })
  }, TOLD_EVERY_MS)
  try {
    return await work()
  } finally {
    clearInterval(timer)
  }
}

async function attempt<T>(address: string, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const reason = reasonOf(error)
    if (NOT_ALLOWED.has(codeOf(error))) {
      throw new StoreOpenError(address, `the user may not make ${what}; it needs the role readWrite: ${reason}`, {
        cause: error,
      })
    }
    if (CONFLICTS.has(codeOf(error))) {
      throw new StoreOpenError(address, `${what} is there with other fields or options; drop that one: ${reason}`, {
        cause: error,
      })
    }
    throw new StoreOpenError(address, `${what} could not be made: ${reason}`, { cause: error })
  }
}

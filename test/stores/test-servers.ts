import { createHash, randomBytes } from 'node:crypto'
import type { S3Client } from '@aws-sdk/client-s3'
import type { mongo } from 'mongoose'
import type { RowDataPacket } from 'mysql2'
import type { Connection } from 'mysql2/promise'

/** Variables that say where the servers of the tests are; each as the configuration has it. */
export type ServerVariable = 'SQL_URL' | 'MONGO_URL' | 'S3_ENDPOINT' | TlsVariable

/** The file of the authority of a server's certificate, and where MongoDB is reached over TLS, if not by MONGO_URL. */
type TlsVariable = 'SQL_CA' | 'MONGO_CA' | 'MONGO_TLS_URL'

/** Something made on a server for one test. */
export interface Made {
  /** What the configuration needs to use it. */
  readonly variables: Readonly<Record<string, string>>
  remove(): Promise<void>
}

/** What a run of the tests makes on the servers begins so, and only that is ever removed. */
const PREFIX = `mptest${process.env.TEST_RUN ?? ''}`

/** An empty database on the server of SQL_URL. */
export async function makeSqlDatabase(name = freshName()): Promise<Made> {
  await onSql((sql) => sql.query(`CREATE DATABASE IF NOT EXISTS ${name}`))
  return {
    variables: { SQL_URL: withDatabase(serverUrl('SQL_URL'), name) },
    remove: () => onSql((sql) => dropSqlDatabase(sql, name)),
  }
}

/** A database on the server of MONGO_URL; it comes to be when something is written. */
export async function makeMongoDatabase(name = freshName()): Promise<Made> {
  return {
    variables: { MONGO_URL: withDatabase(serverUrl('MONGO_URL'), name) },
    remove: () => onMongo((client) => dropMongoDatabase(client, name)),
  }
}

/** An empty bucket on the server of S3_ENDPOINT. */
export async function makeBucket(name = freshName()): Promise<Made> {
  const { CreateBucketCommand } = await import('@aws-sdk/client-s3')
  await onS3(async (client) => {
    try {
      await client.send(new CreateBucketCommand({ Bucket: name }))
    } catch (error) {
      if (!(error instanceof Error && /BucketAlready(?:OwnedByYou|Exists)/.test(error.name))) throw error
    }
  })
  return {
    variables: { ...s3Variables(), S3_BUCKET: name },
    remove: () => onS3((client) => removeBucket(client, name)),
  }
}

/** Whether the whole-app suites run on the servers and not on the embedded stores. */
export const runsOnServers = () => process.env.TEST_STORES === 'servers'

const madeByDirectory = new Map<string, Promise<readonly Made[]>>()

/**
 * The variables that put a server process, or the application in the test's process, on stores of its own: those of a data directory are
 * always the same, so that a server that starts again on it finds what it left. {@link removeStores} removes them.
 * @returns nothing when the suites run on the embedded stores
 */
export async function storesOf(dataDirectory: string): Promise<Readonly<Record<string, string>>> {
  if (!runsOnServers()) return {}
  const making = madeByDirectory.get(dataDirectory) ?? makeStores(dataDirectory)
  madeByDirectory.set(dataDirectory, making)
  return Object.assign({}, ...(await making).map(({ variables }) => variables))
}

/** Removes what was made for data directories. */
export async function removeStores(): Promise<void> {
  const making = [...madeByDirectory.values()]
  madeByDirectory.clear()
  for (const made of await Promise.all(making)) await Promise.all(made.map((one) => one.remove()))
}

/** Everything that a bucket holds: keys of its objects, and each multipart upload under way by its object's key and its id. */
export function listBucket(Bucket: string): Promise<{ keys: string[]; multiparts: string[] }> {
  return onS3(async (client) => {
    const { ListMultipartUploadsCommand, paginateListObjectsV2 } = await import('@aws-sdk/client-s3')
    const keys: string[] = []
    for await (const { Contents } of paginateListObjectsV2({ client }, { Bucket }))
      keys.push(...(Contents ?? []).map(({ Key = '' }) => Key))
    const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket }))
    return { keys, multiparts: (Uploads ?? []).map(({ Key, UploadId }) => `${Key} ${UploadId}`) }
  })
}

/** Removes from the servers what this run of the tests left there, such as of suites that failed half-way. */
export async function removeLeftovers(): Promise<void> {
  if (process.env.SQL_URL !== undefined) await onSql(dropAllOfRun)
  if (process.env.MONGO_URL !== undefined) await onMongo(dropAllDatabasesOfRun)
  if (process.env.S3_ENDPOINT !== undefined) await onS3(removeAllBucketsOfRun)
}

function makeStores(dataDirectory: string): Promise<Made[]> {
  const name = `${PREFIX}x${createHash('sha256').update(dataDirectory).digest('hex').slice(0, 16)}`
  return Promise.all([makeSqlDatabase(name), makeMongoDatabase(name), makeBucket(name)])
}

function freshName(): string {
  return `${PREFIX}x${randomBytes(8).toString('hex')}`
}

function serverUrl(variable: ServerVariable): string {
  const url = process.env[variable]
  if (url === undefined) throw new Error(`${variable} is not set`)
  return url
}

/** Several hosts are no URL, and only the path is to change. */
function withDatabase(url: string, name: string): string {
  return url.replace(/^(\w+(?:\+\w+)?:\/\/[^/?]+)(?:\/[^?]*)?/, `$1/${name}`)
}

async function onSql<T>(act: (connection: Connection) => Promise<T>): Promise<void> {
  const { createConnection } = await import('mysql2/promise')
  const connection = await createConnection(withDatabase(serverUrl('SQL_URL'), '').replace(/^mariadb:/, 'mysql:'))
  try {
    await act(connection)
  } finally {
    await connection.end()
  }
}

async function dropSqlDatabase(sql: Connection, name: string): Promise<void> {
  await sql.query(`DROP DATABASE IF EXISTS ${name}`)
}

async function dropAllOfRun(sql: Connection): Promise<void> {
  const [rows] = await sql.query<RowDataPacket[]>('SHOW DATABASES LIKE ?', [`${PREFIX}x%`])
  for (const row of rows) await dropSqlDatabase(sql, String(Object.values(row)[0]))
}

async function onMongo(act: (client: mongo.MongoClient) => Promise<void>): Promise<void> {
  const { default: mongoose } = await import('mongoose')
  const client = await mongoose.mongo.MongoClient.connect(serverUrl('MONGO_URL'))
  try {
    await act(client)
  } finally {
    await client.close()
  }
}

async function dropMongoDatabase(client: mongo.MongoClient, name: string): Promise<void> {
  await client.db(name).dropDatabase()
}

async function dropAllDatabasesOfRun(client: mongo.MongoClient): Promise<void> {
  const { databases } = await client.db('admin').admin().listDatabases({ nameOnly: true })
  for (const { name } of databases) if (name.startsWith(`${PREFIX}x`)) await dropMongoDatabase(client, name)
}

function s3Variables(): Record<string, string> {
  const { S3_REGION, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY, S3_FORCE_PATH_STYLE } = process.env
  return {
    S3_ENDPOINT: serverUrl('S3_ENDPOINT'),
    S3_REGION: S3_REGION ?? 'us-east-1',
    S3_ACCESS_KEY_ID: S3_ACCESS_KEY_ID ?? '',
    S3_SECRET_ACCESS_KEY: S3_SECRET_ACCESS_KEY ?? '',
    S3_FORCE_PATH_STYLE: S3_FORCE_PATH_STYLE ?? 'true',
  }
}

async function onS3<T>(act: (client: S3Client) => Promise<T>): Promise<T> {
  const { S3Client } = await import('@aws-sdk/client-s3')
  const { S3_ENDPOINT, S3_REGION, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY, S3_FORCE_PATH_STYLE } = s3Variables()
  const client = new S3Client({
    endpoint: S3_ENDPOINT ?? '',
    region: S3_REGION ?? '',
    credentials: { accessKeyId: S3_ACCESS_KEY_ID ?? '', secretAccessKey: S3_SECRET_ACCESS_KEY ?? '' },
    forcePathStyle: S3_FORCE_PATH_STYLE === 'true',
  })
  try {
    return await act(client)
  } finally {
    client.destroy()
  }
}

async function removeAllBucketsOfRun(client: S3Client): Promise<void> {
  const { ListBucketsCommand } = await import('@aws-sdk/client-s3')
  const { Buckets } = await client.send(new ListBucketsCommand())
  for (const { Name = '' } of Buckets ?? []) if (Name.startsWith(`${PREFIX}x`)) await removeBucket(client, Name)
}

async function removeBucket(client: S3Client, Bucket: string): Promise<void> {
  const s3 = await import('@aws-sdk/client-s3')
  const { Uploads } = await client.send(new s3.ListMultipartUploadsCommand({ Bucket }))
  for (const { Key, UploadId } of Uploads ?? [])
    await client.send(new s3.AbortMultipartUploadCommand({ Bucket, Key, UploadId }))
  for (;;) {
    const { Contents } = await client.send(new s3.ListObjectsV2Command({ Bucket }))
    if (!Contents?.length) break
    const Objects = Contents.map(({ Key }) => ({ Key }))
    await client.send(new s3.DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }))
  }
  await client.send(new s3.DeleteBucketCommand({ Bucket }))
}

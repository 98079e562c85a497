import { writeSync } from 'node:fs'
import type { BlobStore } from '../../src/storage/blobs/blob-store.js'
import { openDirectoryBlobs } from '../../src/storage/blobs/directory-blob-store.js'
import { openS3Blobs } from '../../src/storage/blobs/s3-blob-store.js'

/** Bytes in one chunk; its content follows from its number. */
const CHUNK_BYTES = 65_536

/** Objects in a bucket, where the variables of the configuration name one; in the directory otherwise. */
function open(): Promise<BlobStore> {
  const { S3_BUCKET, S3_ENDPOINT, S3_REGION = '', S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY } = process.env
  if (S3_BUCKET === undefined) return openDirectoryBlobs({ directory })
  return openS3Blobs({
    endpoint: S3_ENDPOINT,
    region: S3_REGION,
    bucket: S3_BUCKET,
    accessKeyId: S3_ACCESS_KEY_ID,
    secretAccessKey: S3_SECRET_ACCESS_KEY,
    forcePathStyle: process.env.S3_FORCE_PATH_STYLE === 'true',
    directory,
  })
}

/** What is to be done until it is killed: `append DIRECTORY ID OFFSET CHUNKS`, or `complete DIRECTORY RUN COUNT`. */
const [mode, directory = '', ...parameters] = process.argv.slice(2)

/** At once, and not by way of a buffer that dies with the process. */
const tell = (line: string) => writeSync(1, `${line}\n`)

function chunkOf(number: number): Buffer {
  const chunk = Buffer.alloc(CHUNK_BYTES)
  for (let at = 0; at < CHUNK_BYTES; at += 4) chunk.writeUInt32LE((number * CHUNK_BYTES + at) >>> 0, at)
  return chunk
}

async function* chunks(from: number, to: number): AsyncGenerator<Uint8Array> {
  for (let number = from; number < to; number++) {
    if (number % 16 === 0) await new Promise((resolve) => setImmediate(resolve))
    yield chunkOf(number)
  }
}

if (mode === 'append') {
  const [id = '', offset = '0', count = '0'] = parameters
  const blobs = await open()
  const upload = id === 'new' ? await blobs.beginUpload('truck/clip.mp4') : id
  tell(`upload ${upload}`)
  const source = chunks(Number(offset) / CHUNK_BYTES, Number(count))
  await blobs.append(upload, Number(offset), source, (bytes) => void tell(`durable ${bytes}`))
  await blobs.complete(upload, 'truck/clip.mp4')
  tell('completed truck/clip.mp4')
  await blobs.close()
} else if (mode === 'complete') {
  const [run = '', count = '0'] = parameters
  const blobs = await open()
  for (let i = 0; i < Number(count); i++) {
    const key = `truck-${i % 3}/${run}-${i}.mp4`
    const id = await blobs.beginUpload(key)
    await blobs.append(id, 0, chunks(i, i + 2))
    await blobs.complete(id, key)
    tell(`completed ${key} ${i}`)
  }
  await blobs.close()
}

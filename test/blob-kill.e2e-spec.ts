import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BlobStore } from '../src/storage/blobs/blob-store.js'
import { openDirectoryBlobs } from '../src/storage/blobs/directory-blob-store.js'
import { describeOn } from './stores/describe-on.js'
import { makeS3Place } from './stores/s3-place.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'

const APPENDER = path.join(process.cwd(), 'dist/test/torture/blob-appender.js')
const KILLS = 6
const CHUNK_BYTES = 65_536
/** 160 MiB. */
const CHUNKS = 2560
const { STRACE_BIN } = process.env

/** As the appender makes it; see there. */
function chunkOf(number: number): Buffer {
  const chunk = Buffer.alloc(CHUNK_BYTES)
  for (let at = 0; at < CHUNK_BYTES; at += 4) chunk.writeUInt32LE((number * CHUNK_BYTES + at) >>> 0, at)
  return chunk
}

function hashOf(from: number, to: number): string {
  const hash = createHash('sha256')
  for (let number = from; number < to; number++) hash.update(chunkOf(number))
  return hash.digest('hex')
}

/** Where the objects are. */
interface Place {
  readonly directory: string
  /** What tells the appender. */
  readonly variables: Readonly<Record<string, string>>
  open(): Promise<BlobStore>
  remove(): Promise<void>
}

async function makeDirectoryPlace(): Promise<Place> {
  const directory = temporaryDirectory()
  return { directory, variables: {}, open: () => openDirectoryBlobs({ directory }), remove: async () => undefined }
}

async function makeBucketPlace(): Promise<Place> {
  const { options, open, remove } = await makeS3Place()
  const variables = {
    S3_BUCKET: options.bucket,
    S3_REGION: options.region,
    S3_FORCE_PATH_STYLE: String(options.forcePathStyle),
  }
  return { directory: temporaryDirectory(), variables, open: () => open(), remove }
}

async function hashOfObject(place: Place, key: string): Promise<string | undefined> {
  const blobs = await place.open()
  const hash = createHash('sha256')
  const stream = await blobs.read(key)
  if (stream) for await (const chunk of stream) hash.update(chunk)
  await blobs.close()
  return stream && hash.digest('hex')
}

/** Where the server of the tests is may name a bucket too, which is not this suite's. */
const WITHOUT_BUCKET = { ...process.env, S3_BUCKET: undefined }

describe('objects when the process is killed', () => killed(makeDirectoryPlace))

describeOn('S3_ENDPOINT', 'objects on S3 when the process is killed', () => killed(makeBucketPlace))

function killed(makePlace: () => Promise<Place>): void {
  let place: Place
  const children: ChildProcess[] = []

  beforeEach(async () => {
    place = await makePlace()
  })
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
    await place.remove()
  })
  afterAll(removeTemporaryDirectories)

  /** Runs the appender until it ends or has said as many lines as it may and some more milliseconds went by. */
  async function linesUntilKilled(parameters: string[], lines: number, delayMs: number): Promise<string[]> {
    const env = { ...WITHOUT_BUCKET, ...place.variables }
    const child = spawn(process.execPath, [APPENDER, ...parameters], { stdio: ['ignore', 'pipe', 'inherit'], env })
    children.push(child)
    const ended = once(child, 'close')
    const said: string[] = []
    for await (const line of createInterface({ input: child.stdout })) {
      said.push(line)
      if (said.length === lines) void sleep(delayMs).then(() => child.kill('SIGKILL'))
    }
    await ended
    if (said.length === 0) throw new Error('the appender did not start')
    return said
  }

  it('an upload holds what was told, is continued from there, and ends byte for byte as it was sent', async () => {
    const { directory } = place
    let id = 'new'
    let durable = 0
    let kills = 0
    for (;;) {
      const parameters = ['append', directory, id, String(durable), String(CHUNKS)]
      const lines = kills < KILLS ? 2 + (kills % 2) : Number.POSITIVE_INFINITY
      const said = await linesUntilKilled(parameters, lines, (kills * 7) % 40)
      for (const line of said) {
        const [what, value = ''] = line.split(' ')
        if (what === 'upload') id = value
        if (what === 'durable') durable = Number(value)
      }
      if (said.at(-1) === 'completed truck/clip.mp4') break
      // What it holds less than it told of would be missed when it goes on from there.
      kills++
    }

    expect(kills).toBe(KILLS)
    expect(durable).toBe(CHUNKS * CHUNK_BYTES)
    expect(await hashOfObject(place, 'truck/clip.mp4')).toBe(hashOf(0, CHUNKS))
  }, 120_000)

  it('every object that was told is there, and none is there in part', async () => {
    const { directory } = place
    const told: Array<[string, number]> = []
    for (let run = 0; run < KILLS; run++) {
      const said = await linesUntilKilled(['complete', directory, `run${run}`, '100000'], 5 + run * 3, run)
      for (const line of said) told.push([line.split(' ')[1] ?? '', Number(line.split(' ')[2])])
    }

    expect(told.length).toBeGreaterThanOrEqual(KILLS * 5)
    for (const [key, number] of told)
      expect([key, await hashOfObject(place, key)]).toEqual([key, hashOf(number, number + 2)])
    const blobs = await place.open()
    const last = told.at(-1)?.[1] ?? 0
    // What was completed and not told: whole, or not there.
    for (let number = last + 1; number < last + 4; number++) {
      const found = await blobs.stat(`truck-${number % 3}/run${KILLS - 1}-${number}.mp4`)
      if (found) expect(found).toEqual({ bytes: 2 * CHUNK_BYTES })
    }
    const leftovers = await blobs.listIdleUploads(Date.now() + 60_000)
    expect(leftovers.length).toBeLessThanOrEqual(KILLS)
    for (const leftover of leftovers) await blobs.abort(leftover)
    expect(await blobs.listIdleUploads(Date.now() + 60_000)).toEqual([])
    await blobs.close()
  }, 120_000)
}

const traced = STRACE_BIN === undefined ? describe.skip : describe
traced('by its system calls (needs STRACE_BIN: path of strace)', () => {
  it('syncs before it tells, and directories before it says that an object is there', async () => {
    const directory = temporaryDirectory()
    const trace = path.join(directory, 'trace')
    const calls = 'trace=fsync,fdatasync,pwrite64,pwritev,write,rename,mkdir'
    const traced = ['-f', '-y', '-s', '200', '-e', calls, '-o', trace, process.execPath, APPENDER]
    const child = spawn(String(STRACE_BIN), [...traced, 'append', directory, 'new', '0', '40'], {
      stdio: 'ignore',
      env: WITHOUT_BUCKET,
    })
    expect((await once(child, 'exit'))[0]).toBe(0)

    const order = orderOf(readFileSync(trace, 'utf8'), [
      ['begin synced', /fsync\(\d+<[^>]*blobs\/uploads>\)/],
      ['written', /pwritev?(64)?\(\d+<[^>]*uploads\/[0-9a-f]{32}>/],
      ['data synced', /fdatasync\(\d+<[^>]*uploads\/[0-9a-f]{32}>\)/],
      ['told durable', /write\(1<.*durable 2621440/],
      ['upload synced', /fsync\(\d+<[^>]*uploads\/[0-9a-f]{32}>\)/],
      ['renamed', /rename\("[^"]*uploads\/[0-9a-f]{32}", "[^"]*objects\/truck\/clip\.mp4"\)/],
      ['directory synced', /fsync\(\d+<[^>]*objects\/truck>\)/],
      ['its parent synced', /fsync\(\d+<[^>]*blobs\/objects>\)/],
      ['uploads synced', /fsync\(\d+<[^>]*blobs\/uploads>\)/],
      ['told completed', /write\(1<.*completed truck/],
    ])
    expect(order).toEqual([
      'begin synced',
      'written',
      'data synced',
      'told durable',
      'upload synced',
      'renamed',
      'directory synced',
      'its parent synced',
      'uploads synced',
      'told completed',
    ])
  }, 60_000)
})

/** The steps that are found one behind the other, each after the one before; a call counts when it has ended. */
function orderOf(trace: string, steps: ReadonlyArray<readonly [string, RegExp]>): string[] {
  const begun = new Map<string, string>()
  const ended: string[] = []
  for (const line of trace.split('\n')) {
    const [, thread = '', text = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    if (text.endsWith('<unfinished ...>')) begun.set(thread, text.replace('<unfinished ...>', ''))
    else ended.push(text.startsWith('<...') ? `${begun.get(thread)})${text}` : text)
  }
  const found: string[] = []
  let from = 0
  for (const [name, pattern] of steps) {
    const at = ended.findIndex((call, index) => index >= from && pattern.test(call))
    if (at < 0) break
    found.push(name)
    from = at + 1
  }
  return found
}

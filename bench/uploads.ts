import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { sha256Of, videoBytes } from '../test/support/video-bytes.js'
import type { BenchOptions } from './bench-options.js'
import { type Child, startChild } from './child-process.js'
import { count, type Finding, measureInTurn, percentiles, rateFinding } from './finding.js'
import { Latencies } from './latencies.js'
import { Milepost } from './milepost.js'
import { cpuSeconds, MemoryWatch, residentBytes } from './process-memory.js'
import { UploadClient } from './upload-client.js'
import { type Clip, postForm, putBare, putRaw, tusInParts, tusWhole, type UploadWay } from './upload-ways.js'

const MIB = 1_048_576
const SMALL_BYTES = 262_144
/** So many small clips for each large one, and at least so many. */
const SMALL_FOR_LARGE = 25
const MOST_AT_ONCE = 4
const LEAST_RATIO = 0.7
const MOST_GROWTH_MIB = 64
const BARE = fileURLToPath(new URL('./bare-uploads.js', import.meta.url))
const [PLAIN, HASHED] = ['bare', 'hashed']

/** What is uploaded in one measurement. */
interface Load {
  readonly clip: Clip
  readonly clips: number
  readonly atOnce: number
}

interface Uploaded {
  /** Of all clips together, from the first byte sent to the last answer. */
  readonly seconds: number
  readonly latencies: Latencies
  readonly ids: readonly string[]
  /** CPU time of the server, all its threads. */
  readonly cpuSeconds: number
}

/** A server that takes uploads, with some units connected to it. */
interface Target {
  readonly pid: number
  readonly clients: readonly UploadClient[]
  /** Drops what was stored. */
  clean(ids: readonly string[]): Promise<void>
}

/**
 * Clips through every way in, against bare streams into the same kind of store: large ones alone and four at once, small ones four at
 * once; and how much the server grows by all of that.
 */
export async function benchUploads(options: BenchOptions): Promise<Finding[]> {
  // Pictures are another program's work, at low priority, and not of these bytes.
  const server = await Milepost.start(options.profileDirectory, { MEDIA_WORKERS: '0' })
  const directory = mkdtempSync(path.join(tmpdir(), 'milepost-bench-'))
  const child = await startChild([BARE, directory], {})
  const target = await targetOf(server)
  const bare = bareOf(child)
  const large = clipOf(options.clipBytes)
  const small = clipOf(SMALL_BYTES)
  try {
    const run = new Comparison(options.repeats, target, bare)
    // Hashing a password takes memory of its own: somebody has logged in before.
    await server.loginAdmin()
    const before = residentBytes(server.pid)
    const mib = options.clipBytes / MIB
    const loads = { clip: large, clips: options.clips }
    const single = await run.raw(`PUT of ${mib} MiB, one at a time`, { ...loads, atOnce: 1 })
    const singly = growth('PUTs one at a time', before, run.memory.peakBytes, run.bytes, MOST_GROWTH_MIB)
    const findings = [
      ...single,
      singly,
      ...(await run.raw(`PUT of ${mib} MiB, ${MOST_AT_ONCE} at once`, { ...loads, atOnce: MOST_AT_ONCE })),
      ...(await run.others(`of ${mib} MiB, one at a time`, { ...loads, atOnce: 1 })),
      ...(await run.raw('PUT of 256 KiB, 4 at once', {
        clip: small,
        clips: options.clips * SMALL_FOR_LARGE,
        atOnce: MOST_AT_ONCE,
      })),
    ]
    await verifyContent(server, target, large)
    return [...findings, growth('all of these', before, run.memory.peakBytes, run.bytes)]
  } finally {
    for (const client of [...target.clients, ...bare.clients]) client.close()
    await Promise.all([server.stop(), child.stop()])
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Measures product and floors in turn. */
class Comparison {
  /** What the product took in all. */
  bytes = 0
  /** The product's while it takes clips. */
  readonly memory: MemoryWatch

  constructor(
    private readonly repeats: number,
    private readonly target: Target,
    private readonly bare: Target,
  ) {
    this.memory = new MemoryWatch(target.pid)
  }

  /** Raw PUTs against a bare stream, and against one that makes the hash. */
  async raw(title: string, load: Load): Promise<Finding[]> {
    const [plain = [], hashed = [], product = []] = await measureInTurn(this.repeats, [
      () => upload(this.bare, putBare(PLAIN), load),
      () => upload(this.bare, putBare(HASHED), load),
      () => this.take(putRaw, load),
    ])
    const latency: Finding = {
      title: `${title}: p50 / p95 / p99`,
      figure: percentiles(product.map(({ latencies }) => latencies)),
      floor: percentiles(plain.map(({ latencies }) => latencies)),
      details: {},
    }
    return [
      compared(title, load, product, plain, LEAST_RATIO),
      compared(`${title}, to a floor with SHA-256`, load, product, hashed),
      latency,
    ]
  }

  /** The other ways in against a bare stream. */
  async others(title: string, load: Load): Promise<Finding[]> {
    const [plain = [], form = [], whole = [], parts = []] = await measureInTurn(this.repeats, [
      () => upload(this.bare, putBare(PLAIN), load),
      () => this.take(postForm, load),
      () => this.take(tusWhole, load),
      () => this.take(tusInParts, load),
    ])
    return [
      compared(`form ${title}`, load, form, plain),
      compared(`tus, one PATCH, ${title}`, load, whole, plain),
      compared(`tus, PATCHes of 8 MiB, ${title}`, load, parts, plain),
    ]
  }

  private take(way: UploadWay, load: Load): Promise<Uploaded> {
    this.bytes += load.clips * load.clip.bytes.length
    return upload(this.target, way, load, this.memory)
  }
}

let names = 0

/** Uploads the clips, each under a name that was never there, and drops them outside the clock. */
async function upload(
  { pid, clients, clean }: Target,
  way: UploadWay,
  load: Load,
  memory = new MemoryWatch(pid),
): Promise<Uploaded> {
  const latencies = new Latencies()
  const ids: string[] = []
  let left = load.clips
  const uploadSome = async (client: UploadClient) => {
    while (left-- > 0) {
      const sentAtMs = performance.now()
      ids.push(await way(client, `clip-${names++}.mp4`, load.clip))
      latencies.add(performance.now() - sentAtMs)
    }
  }
  const cpuBefore = cpuSeconds(pid)
  const startedMs = performance.now()
  await memory.during(() => Promise.all(clients.slice(0, load.atOnce).map(uploadSome)))
  const seconds = (performance.now() - startedMs) / 1000
  const spent = cpuSeconds(pid) - cpuBefore
  await clean(ids)
  return { seconds, latencies, ids, cpuSeconds: spent }
}

function compared(
  title: string,
  { clip, clips }: Load,
  product: readonly Uploaded[],
  floor: readonly Uploaded[],
  leastRatio?: number,
): Finding {
  const isSmall = clip.bytes.length === SMALL_BYTES
  const amount = isSmall ? clips : (clips * clip.bytes.length) / MIB
  const rates = product.map(({ seconds }) => amount / seconds)
  const floorRates = floor.map(({ seconds }) => amount / seconds)
  const perGiB = (runs: readonly Uploaded[]) =>
    runs.map((run) => (run.cpuSeconds * 1024 * MIB) / (clips * clip.bytes.length))
  const details = { cpuSecondsPerGiB: perGiB(product), floorCpuSecondsPerGiB: perGiB(floor) }
  return rateFinding(title, isSmall ? 'clips/s' : 'MiB/s', { rates, floorRates }, { leastRatio, details })
}

/** @param mostMib undefined: reported without a target */
function growth(what: string, beforeBytes: number, peakBytes: number, bytes: number, mostMib?: number): Finding {
  const mib = (peakBytes - beforeBytes) / MIB
  return {
    title: `most memory above a fresh server, ${what}, ${count(bytes / MIB)} MiB`,
    figure: `${mib.toFixed(1)} MiB`,
    target: mostMib === undefined ? undefined : `≤ ${mostMib} MiB`,
    isMet: mostMib === undefined ? undefined : mib <= mostMib,
    details: { beforeBytes, peakBytes },
  }
}

async function targetOf(server: Milepost): Promise<Target> {
  const tokens = await server.loginUnits(MOST_AT_ONCE)
  const clean = async (ids: readonly string[]) => {
    const admin = await server.loginAdmin()
    for (const id of ids) {
      const { status, text } = await server.api.request('DELETE', `/api/v1/videos/${id}`, { token: admin })
      if (status !== 204) throw new Error(`a video was not deleted: ${status} ${text}`)
    }
  }
  return { pid: server.pid, clients: tokens.map((token) => new UploadClient(server.url, token)), clean }
}

function bareOf({ pid, url }: Child): Target {
  const clients = Array.from({ length: MOST_AT_ONCE }, () => new UploadClient(url, 'none'))
  const clean = async () => {
    for (const under of [PLAIN, HASHED]) await fetch(`${url}/${under}`, { method: 'DELETE' })
  }
  return { pid, clients, clean }
}

function clipOf(length: number): Clip {
  const bytes = videoBytes(length)
  return { bytes, sha256: sha256Of(bytes) }
}

/** Fast and wrong must not pass: what is stored, every way in, are the bytes that were sent. */
async function verifyContent(server: Milepost, { clients, clean }: Target, clip: Clip): Promise<void> {
  const [client] = clients
  if (client === undefined) throw new Error('nobody is connected')
  const admin = await server.loginAdmin()
  for (const way of [putRaw, postForm, tusWhole, tusInParts]) {
    const id = await way(client, `clip-${names++}.mp4`, clip)
    const answer = await fetch(`${server.url}/api/v1/videos/${id}/content`, {
      headers: { authorization: `Bearer ${admin}` },
    })
    if (sha256Of(Buffer.from(await answer.arrayBuffer())) !== clip.sha256) throw new Error('other bytes are stored')
    await clean([id])
  }
}

import { createHash } from 'node:crypto'
import { Upload } from 'tus-js-client'
import { createApp } from '../../src/app.js'
import { parseConfig } from '../../src/config/app-config.js'
import { BlobStore } from '../../src/storage/blobs/blob-store.js'
import { UploadRecords } from '../../src/storage/sql/upload-records.js'
import { storesOf } from '../stores/test-servers.js'
import { testImei } from '../support/api.js'
import { isUploadEmpty } from '../support/held-uploads.js'
import { ADMIN_PASSWORD, ServerProcess } from '../support/server-process.js'
import { sha256Of, videoBytes } from '../support/video-bytes.js'
import { CuttingProxy } from './cutting-proxy.js'
import { seededRandom } from './seeded-random.js'

export interface TusTortureOptions {
  readonly dataDirectory: string
  /** How often all connections are cut, at random offsets. */
  readonly cuts: number
  /** How often the server is killed besides. */
  readonly kills: number
  /** Of a file, on average. */
  readonly bytes: number
  readonly seed: number
  /** The build under test; absent: the project's own. */
  readonly dist?: string
  readonly onBreak?: (done: number, kind: 'cut' | 'kill') => void
}

export interface TusTortureResult {
  readonly cuts: number
  readonly kills: number
  /** Files whose upload ended well for the client. */
  readonly videos: number
  /** Of those: not there, or with another SHA-256 or other bytes than were sent. */
  readonly damaged: number
  /** Videos listed that no client knows of. */
  readonly surplus: number
  /**
   * Their address never reached the client, which began anew: not whole and known, which end when they expire, or without a byte
   * from a kill before they were known, which the sweeper drops in an hour.
   */
  readonly forgotten: number
  /** Bytes that the blob store still holds and that no upload under way knows. */
  readonly litter: number
  readonly bytes: number
  /** All that passed the network, heads of requests included. */
  readonly sentBytes: number
}

interface VideoItem {
  readonly id: string
  readonly bytes: number
  readonly sha256: string
}

const UNIT = testImei(7)
/** So often is each file interrupted. */
const BREAKS_PER_FILE = 5
const CHUNKS = [Number.POSITIVE_INFINITY, 700_000, 5000]

/**
 * Uploads files with the real tus client through a network that drops, to a server that is killed, at random offsets. Then compares
 * what the server gives out with what was sent.
 */
export async function tortureTus(options: TusTortureOptions): Promise<TusTortureResult> {
  const environment = {
    DATA_DIR: options.dataDirectory,
    DEVICE_ENROLMENT: 'open',
    LOG_LEVEL: 'warn',
    MEDIA_WORKERS: '0',
  }
  const server = new ServerProcess(environment, options.dist)
  await server.start()
  const proxy = await CuttingProxy.open(() => Number(new URL(server.url).port))
  try {
    return await new TusRun(options, server, proxy).run()
  } finally {
    proxy.close()
    await server.kill()
  }
}

class TusRun {
  private readonly random: () => number
  private readonly hashes = new Map<string, string>()
  private bytes = 0
  private cuts = 0
  private kills = 0

  constructor(
    private readonly options: TusTortureOptions,
    private readonly server: ServerProcess,
    private readonly proxy: CuttingProxy,
  ) {
    this.random = seededRandom(options.seed)
  }

  async run(): Promise<TusTortureResult> {
    const token = await this.server.api.loginDevice(UNIT)
    const { cuts, kills } = this.options
    for (let n = 0; this.cuts + this.kills < cuts + kills; n++) {
      const bytes = videoBytes(Math.ceil(this.options.bytes * (0.5 + this.random())))
      const uploading = this.upload(`clip-${n}.mp4`, bytes, token)
      await Promise.race([uploading, this.interrupt(bytes.length)])
      this.hashes.set(await uploading, sha256Of(bytes))
      this.bytes += bytes.length
    }
    return this.compare()
  }

  /** Breaks what is under way at random offsets of a file of this length. */
  private async interrupt(length: number): Promise<void> {
    for (let n = 0; n < BREAKS_PER_FILE; n++) {
      await this.proxy.after(1 + Math.floor((this.random() * length) / BREAKS_PER_FILE))
      const { cuts, kills } = this.options
      if (this.cuts + this.kills === cuts + kills) return
      if (this.kills * (cuts + kills) < (this.cuts + this.kills + 1) * kills) await this.kill()
      else this.cut()
    }
  }

  private cut(): void {
    this.cuts += 1
    this.proxy.cut()
    this.options.onBreak?.(this.cuts + this.kills, 'cut')
  }

  private async kill(): Promise<void> {
    this.kills += 1
    await this.server.kill()
    await this.server.start()
    this.options.onBreak?.(this.cuts + this.kills, 'kill')
  }

  /** @returns the id of the video that the server told */
  private upload(fileName: string, bytes: Buffer, token: string): Promise<string> {
    return new Promise((resolve, reject) => {
      let videoId: string | undefined
      const upload = new Upload(bytes, {
        endpoint: `${this.proxy.url}/api/v1/videos/uploads`,
        headers: { authorization: `Bearer ${token}` },
        metadata: { filename: fileName },
        retryDelays: Array.from({ length: 1000 }, () => 30),
        chunkSize: CHUNKS[Math.floor(this.random() * CHUNKS.length)],
        uploadDataDuringCreation: this.random() < 0.3,
        onAfterResponse: (_, response) => {
          videoId = response.getHeader('Video-Id') ?? videoId
        },
        onError: reject,
        onSuccess: () => (videoId === undefined ? reject(new Error(`no video of ${fileName}`)) : resolve(videoId)),
      })
      upload.start()
    })
  }

  private async compare(): Promise<TusTortureResult> {
    const admin = await this.server.api.login('admin', ADMIN_PASSWORD)
    const listed = await this.server.api.all<VideoItem>('/api/v1/videos', admin)
    const told = new Map(listed.map(({ id, sha256 }) => [id, sha256]))
    let damaged = 0
    for (const [id, sha256] of this.hashes) {
      if (told.get(id) !== sha256 || (await this.hashOf(id, admin)) !== sha256) damaged += 1
    }
    await this.server.kill()
    const { forgotten, litter } = await leftoversIn(this.options.dataDirectory)
    return {
      cuts: this.cuts,
      kills: this.kills,
      videos: this.hashes.size,
      damaged,
      surplus: listed.filter(({ id }) => !this.hashes.has(id)).length,
      forgotten,
      litter,
      bytes: this.bytes,
      sentBytes: this.proxy.bytes,
    }
  }

  private async hashOf(id: string, token: string): Promise<string> {
    const response = await fetch(`${this.server.url}/api/v1/videos/${id}/content`, {
      headers: { authorization: `Bearer ${token}` },
    })
    const hash = createHash('sha256')
    for await (const chunk of response.body ?? []) hash.update(chunk as Uint8Array)
    return hash.digest('hex')
  }
}

/** What is left of uploads under a server that is not running. */
async function leftoversIn(directory: string): Promise<{ forgotten: number; litter: number }> {
  const stores = await storesOf(directory)
  const app = await createApp(parseConfig({ DATA_DIR: directory, LOG_LEVEL: 'error', ...stores }))
  try {
    const held = await app.get(BlobStore).listIdleUploads(Date.now() + 60_000)
    const open = (await app.get(UploadRecords).listOfDevice(UNIT)).filter(({ videoId }) => videoId === null)
    const known = new Set(open.map(({ blobUploadId }) => blobUploadId))
    let forgotten = 0
    for (const id of held) if (known.has(id) || (await isUploadEmpty(directory, id))) forgotten += 1
    return { forgotten, litter: held.length - forgotten }
  } finally {
    await app.close()
  }
}

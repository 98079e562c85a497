import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { testImei } from '../support/api.js'
import { ADMIN_PASSWORD, ServerProcess } from '../support/server-process.js'
import { sha256Of, videoBytes } from '../support/video-bytes.js'
import { seededRandom } from './seeded-random.js'

export interface UploadTortureOptions {
  readonly dataDirectory: string
  readonly kills: number
  readonly units: number
  readonly seed: number
  /** The build under test; absent: the project's own. */
  readonly dist?: string
}

export interface UploadTortureResult {
  readonly kills: number
  /** Files that units hold an answer for. */
  readonly acked: number
  /** Answered right after their restart, and not there any more. */
  readonly lost: number
  /** Listed, but not the bytes that the list says, or of no file that was ever sent. */
  readonly broken: number
  /** Repeats that were answered as such: the answer before was lost. */
  readonly repeated: number
}

interface VideoItem {
  readonly id: string
  readonly deviceId: string
  readonly fileName: string
  readonly sha256: string
}

/**
 * Kills the server at random moments while units PUT files, each of which is sent until it is answered. Right after each restart the
 * list is compared with what was answered, and what it holds with what was sent. The server is left stopped.
 */
export async function tortureUploads(options: UploadTortureOptions): Promise<UploadTortureResult> {
  const random = seededRandom(options.seed)
  const environment = {
    DATA_DIR: options.dataDirectory,
    DEVICE_ENROLMENT: 'open',
    LOG_LEVEL: 'warn',
    MEDIA_WORKERS: '0',
  }
  const server = new ServerProcess(environment, options.dist)
  await server.start()
  try {
    const units = await Promise.all(
      Array.from({ length: options.units }, async (_, n) => {
        const imei = testImei(n)
        return new UploadingUnit(imei, await server.api.loginDevice(imei), random)
      }),
    )
    const runs = units.map((unit) => unit.run(server.url))
    const result = { kills: options.kills, acked: 0, lost: 0, broken: 0, repeated: 0 }
    for (let kill = 0; kill < options.kills; kill++) {
      await sleep(200 + random() * 500)
      await server.kill()
      const acked = units.flatMap((unit) => [...unit.acked])
      await server.start()
      const listed = new Set((await list(server)).map(keyOf))
      result.lost += acked.filter((key) => !listed.has(key)).length
    }
    for (const unit of units) unit.finish()
    await Promise.all(runs)
    const admin = await server.api.login('admin', ADMIN_PASSWORD)
    for (const item of await list(server)) {
      const unit = units.find(({ imei }) => imei === item.deviceId)
      const isSent = unit?.sent.get(item.fileName) === item.sha256
      if (!isSent || (await hashOf(server, item.id, admin)) !== item.sha256) result.broken += 1
    }
    result.acked = units.reduce((sum, { acked }) => sum + acked.size, 0)
    result.repeated = units.reduce((sum, { repeated }) => sum + repeated, 0)
    return result
  } finally {
    await server.kill()
  }
}

/** Sends one file after the other, each until it is answered. */
class UploadingUnit {
  /** Keys of answered files. */
  readonly acked = new Set<string>()
  /** SHA-256 by name. */
  readonly sent = new Map<string, string>()
  repeated = 0
  private isSending = true

  constructor(
    readonly imei: string,
    private readonly token: string,
    private readonly random: () => number,
  ) {}

  finish(): void {
    this.isSending = false
  }

  async run(url: string): Promise<void> {
    for (let n = 0; this.isSending; n++) {
      const fileName = `clip-${n}.mp4`
      const bytes = videoBytes(1000 + Math.floor(this.random() * 300_000))
      const sha256 = sha256Of(bytes)
      this.sent.set(fileName, sha256)
      while (!(await this.put(`${url}/api/v1/videos/${fileName}`, bytes))) await sleep(20)
      this.acked.add(keyOf({ deviceId: this.imei, fileName, sha256 }))
    }
  }

  private async put(url: string, bytes: Buffer): Promise<boolean> {
    try {
      const answer = await fetch(url, {
        method: 'PUT',
        headers: { authorization: `Bearer ${this.token}` },
        body: new Uint8Array(bytes),
      })
      const text = await answer.text()
      if (answer.status === 200) this.repeated += 1
      if (answer.status === 409 || answer.status === 415) throw new Error(`refused: ${text}`)
      return answer.ok
    } catch (error) {
      if ((error as Error).message.startsWith('refused')) throw error
      return false
    }
  }
}

function keyOf({ deviceId, fileName, sha256 }: Pick<VideoItem, 'deviceId' | 'fileName' | 'sha256'>): string {
  return `${deviceId}/${fileName}/${sha256}`
}

async function list(server: ServerProcess): Promise<VideoItem[]> {
  const admin = await server.api.login('admin', ADMIN_PASSWORD)
  return server.api.all<VideoItem>('/api/v1/videos?limit=500', admin)
}

async function hashOf(server: ServerProcess, id: string, token: string): Promise<string> {
  const response = await fetch(`${server.url}/api/v1/videos/${id}/content`, {
    headers: { authorization: `Bearer ${token}` },
  })
  return createHash('sha256')
    .update(Buffer.from(await response.arrayBuffer()))
    .digest('hex')
}

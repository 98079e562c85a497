import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type RunningApp, startApp } from './support/app.js'
import { itEmbedded } from './support/on-embedded.js'
import { StoredVideos, VIDEOS } from './support/stored-videos.js'
import { removeTemporaryDirectories } from './support/temporary-directory.js'

const FILE_BYTES = 33_554_432
/** What the network of this machine and the server's streams hold for a client that does not read. */
const HELD_BYTES = 16_777_216
const STOPS_WITHIN_MS = 6000

/** A viewer whose player has paused: it reads the beginning of the answer and no more. */
class PausedViewer {
  readonly socket: Socket

  constructor(running: RunningApp, path: string) {
    const { port } = new URL(running.url)
    this.socket = connect(Number(port), '127.0.0.1')
    this.socket.on('error', () => undefined)
    this.socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${running.admin}\r\n\r\n`)
  }

  /** @returns the beginning of the answer */
  begin(): Promise<string> {
    return new Promise((resolve) => {
      this.socket.once('data', (chunk) => {
        this.socket.pause()
        resolve(chunk.toString('latin1'))
      })
    })
  }
}

/** How far this process has read the open files whose path ends so. */
function offsetsOf(ending: string): number[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      if (!readlinkSync(`/proc/self/fd/${fd}`).endsWith(ending)) return []
      return [Number(/^pos:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1])]
    } catch {
      return [] // closed meanwhile
    }
  })
}

async function until(isTrue: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!isTrue()) {
    if (Date.now() > deadline) throw new Error('it did not come about')
    await sleep(20)
  }
}

describe('somebody who watches a video', () => {
  let running: RunningApp
  let stored: StoredVideos

  beforeEach(async () => {
    running = await startApp()
    stored = new StoredVideos(running)
  })
  afterEach(async () => {
    await running.close()
    await removeTemporaryDirectories()
  })

  const watch = async (fileName: string): Promise<PausedViewer> => {
    const { id } = await stored.add({ fileName, content: randomBytes(FILE_BYTES) })
    const viewer = new PausedViewer(running, `${VIDEOS}/${id}/content`)
    expect(await viewer.begin()).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    return viewer
  }

  itEmbedded(
    'looks how far the file was read',
    'is sent no more than he takes, and frees the file when he goes',
    async () => {
      const { socket } = await watch('slow.mp4')
      await sleep(500)
      const offsets = offsetsOf('slow.mp4')
      expect(offsets).toHaveLength(1)
      expect(offsets[0]).toBeLessThan(HELD_BYTES)
      socket.destroy()
      await until(() => offsetsOf('slow.mp4').length === 0)
    },
  )

  it('gets all of it when he goes on', async () => {
    const { socket } = await watch('paused.mp4')
    await sleep(200)
    let bytes = 0
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length
    })
    socket.resume()
    await until(() => offsetsOf('paused.mp4').length === 0 && bytes > FILE_BYTES - 1_048_576)
    socket.destroy()
  })

  it('does not hold up a stop', async () => {
    const { socket } = await watch('stop.mp4')
    const startedMs = performance.now()
    const closed = new Promise((resolve) => socket.once('close', resolve))
    await running.app.close()
    expect(performance.now() - startedMs).toBeLessThan(STOPS_WITHIN_MS)
    socket.resume()
    await closed
    expect(offsetsOf('stop.mp4')).toEqual([])
  })
})

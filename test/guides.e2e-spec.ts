import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import ffmpeg from '@ffmpeg-installer/ffmpeg'
import { io, type Socket } from 'socket.io-client'
import { describeOn } from './stores/describe-on.js'
import { type Made, makeBucket } from './stores/test-servers.js'
import { compareWithGuide, GuideShell, type GuideStep, readGuide } from './support/guide.js'
import { ADMIN_PASSWORD, ServerProcess } from './support/server-process.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'

const LOGGED_WITHIN_MS = 15_000
const ADDRESS_IN_GUIDES = /http:\/\/127\.0\.0\.1:3000/g
/** How the guides load what the test hands in. */
const LOADING = /^(?:import .*|const \{ io \} = await import\(.*)$/gm

const hasTools = ['bash', 'curl', 'jq'].every((tool) => spawnSync(tool, ['--version']).status === 0)
const suite = hasTools ? describe : describe.skip

afterAll(removeTemporaryDirectories)

suite('the guides (needs bash, curl and jq)', () => {
  let server: ServerProcess
  let directory: string

  beforeEach(async () => {
    const place = temporaryDirectory()
    directory = path.join(place, 'reader')
    mkdirSync(directory)
    server = new ServerProcess({ DATA_DIR: path.join(place, 'data') })
    await server.start()
  }, 60_000)
  afterEach(() => server.stop())

  it('device-guide.md: every step does what the guide says', async () => {
    await follow('docs/device-guide.md', { ADMIN_PASSWORD, FFMPEG: ffmpeg.path })
  }, 120_000)

  it('user-guide.md: every step does what the guide says', async () => {
    makeClip(path.join(directory, 'clip.mp4'))
    await follow('docs/user-guide.md', { ADMIN_PASSWORD })
  }, 120_000)

  describeOn('S3_ENDPOINT', 'with an S3 store', () => {
    let made: Made

    beforeEach(async () => {
      await server.stop()
      made = await makeBucket()
      server = new ServerProcess({ DATA_DIR: temporaryDirectory(), ...made.variables })
      await server.start()
    }, 60_000)
    afterEach(async () => {
      await server.stop()
      await made.remove()
    })

    it('direct-uploads.md: every step does what the guide says', async () => {
      makeClip(path.join(directory, 'clip.mp4'))
      await follow('docs/direct-uploads.md', { TOKEN: await tokenOfUnit() })
    }, 120_000)
  })

  it('live-feed.md: the program connects and watches', async () => {
    await follow('docs/live-feed.md', { MILEPOST_ADMIN_PASSWORD: ADMIN_PASSWORD })
  }, 120_000)

  async function tokenOfUnit(): Promise<string> {
    const secret = 'of a unit that was added before'
    const admin = await server.api.login('admin', ADMIN_PASSWORD)
    await server.api.post('/api/v1/devices', { deviceId: '490154203237518', secret }, admin)
    return server.api.loginDevice('490154203237518', secret)
  }

  /** Does all that a guide says, in its order, in one shell and one JavaScript program. */
  async function follow(file: string, given: Record<string, string>): Promise<void> {
    const steps = readGuide(file)
    expect(steps.length).toBeGreaterThan(1)
    const shell = new GuideShell(directory)
    const here = (text: string) => text.replace(ADDRESS_IN_GUIDES, server.url)
    const process = { env: { ...given } }
    const runInShell = async (step: GuideStep, script: string) => {
      const { output, variables } = await shell.run(here(script))
      Object.assign(process.env, variables)
      compareWithGuide(step, output)
    }
    const sockets: Socket[] = []
    const connect: typeof io = ((url: string, options: object) => {
      const socket = io(url, options)
      sockets.push(socket)
      return socket
    }) as typeof io
    const log = new Log()
    try {
      await shell.run(
        Object.entries(given)
          .map(([name, value]) => `${name}='${value}'`)
          .join('\n'),
      )
      const program = programOf(steps, here)
      await program(
        connect,
        log,
        process,
        (index: number) => runInShell(stepAt(steps, index), stepAt(steps, index).text),
        async (index: number) => {
          const step = stepAt(steps, index)
          if (step.expected !== undefined) compareWithGuide(step, await log.next(step))
        },
      )
    } finally {
      for (const socket of sockets) socket.close()
      shell.close()
    }
  }
})

/** What the steps in JavaScript say by `console.log`. */
class Log {
  private readonly said: string[] = []

  log(...values: unknown[]): void {
    this.said.push(values.map((value) => (typeof value === 'string' ? value : JSON.stringify(value))).join(' '))
  }

  async next(step: GuideStep): Promise<string> {
    const deadlineMs = Date.now() + LOGGED_WITHIN_MS
    while (this.said.length === 0) {
      if (Date.now() > deadlineMs) throw new Error(`step at line ${step.line}: nothing was logged`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    return this.said.shift() ?? ''
  }
}

type Program = (
  connect: typeof io,
  log: Log,
  process: { env: Record<string, string> },
  shell: (index: number) => Promise<void>,
  settled: (index: number) => Promise<void>,
) => Promise<void>

/** One function of all the steps: what one of them names is there in those after it. */
function programOf(steps: readonly GuideStep[], here: (text: string) => string): Program {
  const AsyncFunction = (async () => undefined).constructor as new (...parts: string[]) => Program
  const body = steps.map(({ language, text }, index) =>
    language === 'sh' ? `await shell(${index})` : `${here(text).replace(LOADING, '')}\nawait settled(${index})`,
  )
  return new AsyncFunction('io', 'console', 'process', 'shell', 'settled', body.join('\n'))
}

function stepAt(steps: readonly GuideStep[], index: number): GuideStep {
  const step = steps[index]
  if (step === undefined) throw new RangeError(`there is no step ${index}`)
  return step
}

/** Two seconds of a picture, as a dash cam would send it. */
function makeClip(file: string): void {
  const source = ['-f', 'lavfi', '-i', 'testsrc=duration=2:size=640x360:rate=10']
  const format = ['-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-movflags', '+faststart']
  const { status, stderr } = spawnSync(ffmpeg.path, ['-loglevel', 'error', ...source, ...format, file])
  if (status !== 0) throw new Error(String(stderr))
}

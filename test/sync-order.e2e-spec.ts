import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { testImei } from './support/api.js'
import { ServerProcess } from './support/server-process.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { ask, connectSocket } from './support/unit-socket.js'

const { STRACE_BIN } = process.env
const suite = STRACE_BIN === undefined ? describe.skip : describe

/** One finished system call in the order of completion; an interrupted one counts when it is resumed. */
interface Call {
  readonly name: string
  readonly text: string
}

afterAll(removeTemporaryDirectories)

suite('system calls of one acknowledgement (needs STRACE_BIN: path of strace)', () => {
  it('writes the log, returns from the sync, and only then writes the acknowledgement', async () => {
    const directory = temporaryDirectory()
    const server = new ServerProcess({ DATA_DIR: path.join(directory, 'data'), DEVICE_ENROLMENT: 'open' })
    await server.start()
    let tracer: ChildProcess | undefined
    try {
      const socket = await connectSocket(server.url, { token: await server.api.loginDevice(testImei(1)) })
      const position = (secondsAgo: number) => ({
        time: Date.now() - secondsAgo * 1000,
        latitude: 48.1,
        longitude: 11.5,
      })
      await ask(socket, 'location', position(10))
      const file = path.join(directory, 'trace')
      tracer = await attach(server.pid, file)
      expect(await ask(socket, 'location', position(5))).toEqual({ accepted: 1, duplicates: 0, rejected: [] })
      tracer.kill('SIGINT')
      await once(tracer, 'exit')
      socket.close()

      const calls = readTrace(file)
      const logWritten = calls.findIndex(
        ({ name, text }) => name.startsWith('pwrite') && text.includes('positions.sqlite-wal>'),
      )
      const synced = calls.findIndex(
        ({ name, text }) =>
          /^f(data)?sync$/.test(name) && text.includes('positions.sqlite-wal>') && text.endsWith('= 0'),
      )
      const acknowledged = calls.findIndex(
        ({ name, text }) => /^(write|writev|sendto|sendmsg)$/.test(name) && text.includes('accepted'),
      )
      process.stdout.write(
        `${[logWritten, synced, acknowledged].map((index) => `${index}: ${calls[index]?.text}`).join('\n')}\n`,
      )
      expect(logWritten).toBeGreaterThanOrEqual(0)
      expect(synced).toBeGreaterThan(logWritten)
      expect(acknowledged).toBeGreaterThan(synced)
    } finally {
      tracer?.kill('SIGKILL')
      await server.kill()
    }
  }, 60_000)
})

async function attach(pid: number, file: string): Promise<ChildProcess> {
  const calls = 'trace=fsync,fdatasync,pwrite64,write,writev,sendto,sendmsg'
  const tracer = spawn(STRACE_BIN as string, ['-f', '-y', '-s', '400', '-e', calls, '-o', file, '-p', String(pid)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  await new Promise<void>((resolve, reject) => {
    let said = ''
    tracer.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes('attached')) setTimeout(resolve, 500)
    })
    tracer.once('exit', () => reject(new Error(`strace ended: ${said}`)))
  })
  tracer.removeAllListeners('exit')
  return tracer
}

function readTrace(file: string): Call[] {
  const unfinished = new Map<string, string>()
  const calls: Call[] = []
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [, thread, rest] = /^(\d+) +(.*)$/.exec(line) ?? []
    if (thread === undefined || rest === undefined) continue
    if (rest.endsWith('<unfinished ...>')) {
      unfinished.set(thread, rest.replace(' <unfinished ...>', ''))
      continue
    }
    const resumed = /^<\.\.\. (\w+) resumed>(.*)$/.exec(rest)
    const text = resumed === null ? rest : `${unfinished.get(thread) ?? resumed[1]}${resumed[2]}`
    const name = /^(\w+)\(/.exec(text)?.[1]
    if (name !== undefined) calls.push({ name, text })
  }
  return calls
}

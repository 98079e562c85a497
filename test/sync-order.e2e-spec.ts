import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { testImei } from './support/api.js'
import { ServerProcess } from './support/server-process.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { sentRecords, TELTONIKA_UNITS } from './support/tracker-brand.js'
import { freeTrackerPorts } from './support/tracker-ports.js'
import { TrackerUnit } from './support/tracker-unit.js'
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
  let server: ServerProcess
  let directory: string
  let tracer: ChildProcess | undefined

  async function start(environment: Record<string, string> = {}): Promise<void> {
    directory = temporaryDirectory()
    server = new ServerProcess({ DATA_DIR: path.join(directory, 'data'), DEVICE_ENROLMENT: 'open', ...environment })
    await server.start()
  }
  afterEach(async () => {
    tracer?.kill('SIGKILL')
    tracer = undefined
    await server.kill()
  })

  /** The system calls of the server while something is done. */
  async function callsOf(act: () => Promise<void>): Promise<Call[]> {
    const file = path.join(directory, 'trace')
    tracer = await attach(server.pid, file)
    await act()
    tracer.kill('SIGINT')
    await once(tracer, 'exit')
    return readTrace(file)
  }

  it('writes the log, returns from the sync, and only then writes the acknowledgement', async () => {
    await start()
    const socket = await connectSocket(server.url, { token: await server.api.loginDevice(testImei(1)) })
    const position = (secondsAgo: number) => ({ time: Date.now() - secondsAgo * 1000, latitude: 48.1, longitude: 11.5 })
    await ask(socket, 'location', position(10))
    const calls = await callsOf(async () => {
      expect(await ask(socket, 'location', position(5))).toEqual({ accepted: 1, duplicates: 0, rejected: [] })
    })
    socket.close()
    expectSyncBefore(calls, ({ text }) => text.includes('accepted'))
  }, 60_000)

  it('does so for the packet of a tracker, whose answer is the number of its records', async () => {
    const ports = await freeTrackerPorts()
    await start(ports)
    const unit = await TrackerUnit.connect(Number(ports.TRACKER_TELTONIKA_PORT))
    const hello = TELTONIKA_UNITS.hello(testImei(1))
    unit.send(hello?.bytes ?? '', TELTONIKA_UNITS.records(testImei(1), sentRecords(0, 3), 0).bytes)
    expect(await unit.answer(5)).toBe('0100000003')
    const calls = await callsOf(async () => {
      unit.send(TELTONIKA_UNITS.records(testImei(1), sentRecords(3, 7), 0).bytes)
      expect(await unit.answer(4)).toBe('00000007')
    })
    unit.close()
    expectSyncBefore(calls, ({ text }) => text.includes('"\\0\\0\\0\\7", 4'))
  }, 60_000)
})

/** The positions' log is written, then synced, and after that something is sent that acknowledges them. */
function expectSyncBefore(calls: readonly Call[], isAcknowledgement: (call: Call) => boolean): void {
  const logWritten = calls.findIndex(
    ({ name, text }) => name.startsWith('pwrite') && text.includes('positions.sqlite-wal>'),
  )
  const synced = calls.findIndex(
    ({ name, text }) => /^f(data)?sync$/.test(name) && text.includes('positions.sqlite-wal>') && text.endsWith('= 0'),
  )
  const acknowledged = calls.findIndex(
    (call) => /^(write|writev|sendto|sendmsg)$/.test(call.name) && isAcknowledgement(call),
  )
  process.stdout.write(
    `${[logWritten, synced, acknowledged].map((index) => `${index}: ${calls[index]?.text}`).join('\n')}\n`,
  )
  expect(logWritten).toBeGreaterThanOrEqual(0)
  expect(synced).toBeGreaterThan(logWritten)
  expect(acknowledged).toBeGreaterThan(synced)
}

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

import { chmodSync, closeSync, existsSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { removeTemporaryDirectories, temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { runTool, type ToolCall } from './run-tool.js'
import { BoundedBytes, NoiseLimit } from './tool-sinks.js'

const MIB = 1_048_576

afterAll(removeTemporaryDirectories)

/** A program that is a shell script. */
function script(text: string): string {
  const file = path.join(temporaryDirectory(), 'fake-ffmpeg')
  writeFileSync(file, `#!/bin/sh\n${text}\n`)
  chmodSync(file, 0o700)
  return file
}

/** Runs a script and gathers what it wrote. */
async function run(text: string, changes: Partial<ToolCall> = {}) {
  const output = new BoundedBytes(MIB)
  const second = new BoundedBytes(MIB)
  const directory = temporaryDirectory()
  const startedMs = performance.now()
  const end = await runTool({
    path: script(text),
    args: [],
    directory,
    limitMs: 5000,
    memoryBytes: 2048 * MIB,
    sinks: [output, second],
    noise: new NoiseLimit(MIB),
    stop: new AbortController().signal,
    ...changes,
  })
  const tookMs = performance.now() - startedMs
  return { end, directory, output: output.bytes.toString(), second: second.bytes.toString(), tookMs }
}

/** One that has ended and that nobody has asked about yet is not alive. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !existsSync('/proc/self/stat') || !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

async function isGoneSoon(pid: number): Promise<boolean> {
  for (let look = 0; look < 100 && isAlive(pid); look++) await sleep(10)
  return !isAlive(pid)
}

describe('runTool', () => {
  it('gives what the program writes to its output and to descriptor 3', async () => {
    const { end, output, second } = await run('echo one; echo three >&3; echo two >&2')
    expect({ end, output, second }).toEqual({ end: 'done', output: 'one\n', second: 'three\n' })
  })

  it('hands arguments over as they are', async () => {
    const args = ['-x', 'a b', "it's", '$(touch x)', '*', '\n', '']
    const { output } = await run('for word in "$@"; do printf "[%s]" "$word"; done', { args })
    expect(output).toBe("[-x][a b][it's][$(touch x)][*][\n][]")
  })

  it('tells an error from a crash', async () => {
    expect((await run('exit 1')).end).toBe('refused')
    expect((await run('kill -SEGV $$')).end).toBe('crashed')
    expect((await run('kill -KILL $$')).end).toBe('crashed')
  })

  it('says that a program is missing, or cannot be run', async () => {
    expect((await run('', { path: '/nowhere/ffmpeg' })).end).toBe('missing')
    const file = path.join(temporaryDirectory(), 'no-program')
    writeFileSync(file, 'text', { mode: 0o600 })
    expect((await run('', { path: file })).end).toBe('missing')
    expect((await run('', { path: temporaryDirectory() })).end).toBe('missing')
    expect((await run('', { directory: '/nowhere' })).end).toBe('missing')
  })

  it('ends one that hangs', async () => {
    const { end, output, tookMs } = await run('echo $$; sleep 60', { limitMs: 200 })
    expect(end).toBe('too_slow')
    expect(tookMs).toBeLessThan(2000)
    expect(await isGoneSoon(Number(output))).toBe(true)
  })

  it('ends one that will not go when asked', async () => {
    const { end, output } = await run('trap "" TERM INT HUP; echo $$; while :; do sleep 1; done', { limitMs: 200 })
    expect(end).toBe('too_slow')
    expect(await isGoneSoon(Number(output))).toBe(true)
  })

  it('ends one that waits for input, which it never gets', async () => {
    expect(await run('cat; echo end')).toMatchObject({ end: 'done', output: 'end\n' })
  })

  it('ends one that floods its output, having kept no more than the limit', async () => {
    const before = process.memoryUsage().rss
    const { end, output, tookMs } = await run('exec cat /dev/zero')
    expect(end).toBe('too_much')
    expect(output.length).toBeLessThanOrEqual(MIB)
    expect(tookMs).toBeLessThan(2000)
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * MIB)
  })

  it('ends one that floods its errors, or descriptor 3', async () => {
    expect((await run('exec cat /dev/zero >&2')).end).toBe('too_much')
    expect((await run('exec cat /dev/zero >&3')).end).toBe('too_much')
  })

  it('ends what the program started, when it is ended itself', async () => {
    const { end, output } = await run('sleep 60 & echo $!; wait', { limitMs: 200 })
    expect(end).toBe('too_slow')
    expect(await isGoneSoon(Number(output))).toBe(true)
  })

  it('ends what the program left behind, when it went by itself', async () => {
    const { end, output, tookMs } = await run('sleep 60 & echo $!; exit 0')
    expect(end).toBe('done')
    expect(tookMs).toBeLessThan(2000)
    expect(await isGoneSoon(Number(output))).toBe(true)
  })

  it('does not wait for pipes that somebody out of reach holds', async () => {
    const { end, output, tookMs } = await run('setsid sleep 30 & echo $!; exit 0')
    expect(end).toBe('done')
    expect(tookMs).toBeLessThan(3000)
    const pid = Number(output)
    if (isAlive(pid)) process.kill(pid, 'SIGKILL')
  })

  it('ends it when told to stop, and does not begin when told before', async () => {
    const stop = new AbortController()
    setTimeout(() => stop.abort(), 100)
    const { end, output, tookMs } = await run('echo $$; sleep 60', { stop: stop.signal })
    expect(end).toBe('stopped')
    expect(tookMs).toBeLessThan(2000)
    expect(await isGoneSoon(Number(output))).toBe(true)
    expect(await run('echo x', { stop: stop.signal })).toMatchObject({ end: 'stopped', output: '' })
  })

  it('does not begin when the time is over', async () => {
    expect(await run('echo x', { limitMs: 0 })).toMatchObject({ end: 'too_slow', output: '' })
  })

  it('shows it no variable of the server', async () => {
    process.env.SECRET_OF_THE_SERVER = 'x'
    try {
      const { output } = await run('env | cut -d= -f1 | sort')
      // The shell adds some of its own.
      const names = output.split('\n').filter((name) => !['', 'PWD', 'SHLVL', '_', 'OLDPWD'].includes(name))
      expect(names).toEqual(['LC_ALL', 'MALLOC_ARENA_MAX', 'PATH'])
    } finally {
      delete process.env.SECRET_OF_THE_SERVER
    }
  })

  it('hands it nothing that the server has open', async () => {
    const file = path.join(temporaryDirectory(), 'open-in-the-server')
    const descriptor = openSync(file, 'w')
    try {
      const { output } = await run('ls -l /proc/self/fd 2>/dev/null || ls -l /dev/fd')
      expect(output).toContain(' -> ')
      expect(output).not.toContain('open-in-the-server')
    } finally {
      closeSync(descriptor)
    }
  })

  it('runs it in its directory, with nothing to read', async () => {
    const { output, directory } = await run('pwd; ls -A; umask')
    expect(output).toBe(`${directory}\n0077\n`)
  })

  it('limits what it may take although the server dies: processor time, open files, core dumps', async () => {
    const { output } = await run('ulimit -t; ulimit -n; ulimit -c; ulimit -f', { limitMs: 3000 })
    expect(output).toBe('7\n64\n0\n0\n')
  })

  it('lets it write to no file', async () => {
    const { end, directory, output } = await run('cat /dev/zero > file; echo $?')
    expect({ end, output }).toEqual({ end: 'done', output: expect.not.stringMatching(/^0$/m) })
    expect(statSync(path.join(directory, 'file')).size).toBe(0)
  })

  it('gives it bounded memory', async () => {
    const hungry = 'head -c 300000000 /dev/zero | tail | wc -c'
    expect(await run(hungry, { memoryBytes: 100 * MIB })).toMatchObject({ end: 'done', output: '0\n' })
    const isEnough = { memoryBytes: 1000 * MIB, limitMs: 25_000 }
    expect(await run(hungry, isEnough)).toMatchObject({ end: 'done', output: '300000000\n' })
  }, 60_000)

  it('gives it a low priority', async () => {
    const stop = new AbortController()
    const seen: number[] = []
    const sink = {
      write: (chunk: Buffer) => {
        seen.push(getPriority(Number(chunk.toString())))
        stop.abort()
        return true
      },
    }
    await run('echo $$; sleep 5', { sinks: [sink], stop: stop.signal })
    expect(seen).toEqual([10])
  })
})

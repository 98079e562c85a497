import { type ChildProcess, spawn } from 'node:child_process'
import { setPriority } from 'node:os'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { TOOL_NICENESS } from './media-limits.js'

/** Takes what the tool writes. */
export interface ToolSink {
  /** @returns false: this is too much, and the tool is ended */
  write(chunk: Buffer): boolean
}

/** One call of the tool. */
export interface ToolCall {
  readonly path: string
  readonly args: readonly string[]
  /** Where it runs: a directory with nothing in it. */
  readonly directory: string
  readonly limitMs: number
  readonly memoryBytes: number
  /** Its standard output, and its file descriptor 3 if there is a second one. */
  readonly sinks: readonly [ToolSink] | readonly [ToolSink, ToolSink]
  /** Its standard error. */
  readonly noise: ToolSink
  /** Ends it at once. */
  readonly stop: AbortSignal
}

/**
 * How a call ended: `done` by itself with success, `refused` by itself with an error, `crashed` by a signal that is not ours, or
 * ended by us: `too_slow`, `too_much`, `stopped`. `missing`: there is no such program, or it cannot be run.
 */
export type ToolEnd = 'done' | 'refused' | 'crashed' | 'too_slow' | 'too_much' | 'stopped' | 'missing'

const SHELL = '/bin/sh'
const HAS_SHELL = process.platform !== 'win32'
/** What the shell answers when a program cannot be run, or is not there. */
const SHELL_CANNOT_RUN = new Set([126, 127])
const OPEN_FILES = 64
const FIRST_TO_GO_WHEN_MEMORY_IS_SHORT = 800
/** Nothing but what finds a program by its name. The locale fixes the form of numbers. */
const ENVIRONMENT = {
  PATH: '/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin',
  LC_ALL: 'C',
  // Each thread of the C library would reserve address space of its own.
  MALLOC_ARENA_MAX: '2',
}
/** For pipes of a dead tool that somebody else still holds. */
const PIPES_WITHIN_MS = 500

const running = new Set<ChildProcess>()

/** Whoever leaves without waiting takes the tools along; a killed server cannot, and leaves them to their own limits. */
process.on('exit', () => {
  for (const child of running) killGroup(child)
})

/**
 * Runs the tool as a process that can do little: a group and session of its own, no environment, no input, not a byte written to
 * any file, bounded memory, processor time, open files and wall clock, low priority. It ends with everything it started. Where
 * there is no shell to set limits (Windows) those of memory, processor time and files are not there. Never throws.
 */
export async function runTool(call: ToolCall): Promise<ToolEnd> {
  if (call.stop.aborted) return 'stopped'
  if (call.limitMs <= 0) return 'too_slow'
  const child = start(call)
  const { pid } = child
  if (pid === undefined) {
    await new Promise((resolve) => child.once('error', resolve))
    return 'missing'
  }
  child.on('error', () => undefined)
  running.add(child)
  lowerPriority(pid)
  try {
    return await endOf(child, call)
  } finally {
    running.delete(child)
  }
}

function start({ path, args, directory, limitMs, memoryBytes, sinks }: ToolCall): ChildProcess {
  const command = HAS_SHELL ? ['-c', limitsInShell(limitMs, memoryBytes), 'sh', path, ...args] : args
  return spawn(HAS_SHELL ? SHELL : path, command, {
    cwd: directory,
    env: ENVIRONMENT,
    detached: true,
    windowsHide: true,
    stdio: ['ignore', 'pipe', 'pipe', sinks.length === 2 ? 'pipe' : 'ignore'],
  })
}

/** A limit that a system does not know is left out: macOS has none for address space. */
function limitsInShell(limitMs: number, memoryBytes: number): string {
  const limits = {
    c: 0,
    f: 0,
    n: OPEN_FILES,
    // Of all threads together; the wall clock comes first unless the server died meanwhile.
    t: Math.ceil(limitMs / 500) + 1,
    v: Math.floor(memoryBytes / 1024),
  }
  const lines = Object.entries(limits).map(([limit, value]) => `ulimit -${limit} ${value} 2>/dev/null || :`)
  const volunteer = `{ echo ${FIRST_TO_GO_WHEN_MEMORY_IS_SHORT} >/proc/$$/oom_score_adj; } 2>/dev/null || :`
  return [volunteer, 'umask 077', ...lines, 'exec "$@"'].join('\n')
}

function lowerPriority(pid: number): void {
  try {
    setPriority(pid, TOOL_NICENESS)
  } catch {
    // It has ended already.
  }
}

async function endOf(child: ChildProcess, call: ToolCall): Promise<ToolEnd> {
  let ended: ToolEnd | undefined
  const end = (reason: ToolEnd) => {
    ended ??= reason
    killGroup(child)
  }
  const onStop = () => end('stopped')
  const timer = setTimeout(() => end('too_slow'), call.limitMs)
  call.stop.addEventListener('abort', onStop, { once: true })
  const pipes = pipesOf(child, call)
  for (const [pipe, sink] of pipes) {
    pipe.on('data', (chunk: Buffer) => {
      if (ended === undefined && !sink.write(chunk)) end('too_much')
    })
    pipe.on('error', () => undefined)
  }
  const closed = Promise.all(pipes.map(([pipe]) => new Promise((resolve) => pipe.once('close', resolve))))
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.once('exit', (...how) => resolve(how))
  })
  clearTimeout(timer)
  call.stop.removeEventListener('abort', onStop)
  // What it started and left behind goes with it, and lets the pipes go.
  killGroup(child)
  const patience = new AbortController()
  await Promise.race([closed, sleep(PIPES_WITHIN_MS, undefined, { signal: patience.signal }).catch(() => undefined)])
  patience.abort()
  for (const [pipe] of pipes) pipe.destroy()
  return ended ?? (signal !== null ? 'crashed' : exitOf(code))
}

function pipesOf(child: ChildProcess, { sinks, noise }: ToolCall): Array<[Readable, ToolSink]> {
  const [output, second] = sinks
  const sinkOf = [undefined, output, noise, second]
  const pipes: Array<[Readable, ToolSink]> = []
  sinkOf.forEach((sink, descriptor) => {
    const pipe = child.stdio[descriptor]
    if (sink !== undefined && pipe) pipes.push([pipe as Readable, sink])
  })
  return pipes
}

function exitOf(code: number | null): ToolEnd {
  if (code === 0) return 'done'
  return HAS_SHELL && code !== null && SHELL_CANNOT_RUN.has(code) ? 'missing' : 'refused'
}

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  } catch {
    // Nobody is left in the group, or the system has no groups.
    child.kill('SIGKILL')
  }
}

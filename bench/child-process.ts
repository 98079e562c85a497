import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

const START_WITHIN_MS = 60_000
const LISTENING = /listens on (http:\/\/[^\s/]+)/

/** A program in a process of its own that says on standard output where it listens. */
export interface Child {
  readonly pid: number
  readonly url: string
  /** SIGTERM, then waits for the end. */
  stop(): Promise<void>
}

/**
 * Starts a built program with this Node and waits until it says `… listens on http://host:port`.
 * @throws Error with everything it wrote, when it ends before that or takes longer than a minute
 */
export async function startChild(parameters: readonly string[], environment: Record<string, string>): Promise<Child> {
  const child = spawn(process.execPath, parameters, {
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = once(child, 'exit')
  const url = await listeningUrl(child)
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
  }
  return { pid: child.pid ?? 0, url, stop }
}

/**
 * Runs a built program to its end.
 * @returns what it wrote to standard output
 */
export async function runChild(parameters: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, parameters, { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`${parameters.join(' ')} ended with ${code}`)
  return output
}

function listeningUrl(child: ChildProcess): Promise<string> {
  let output = ''
  return new Promise((resolve, reject) => {
    const take = (chunk: Buffer) => {
      output += chunk.toString()
      const url = LISTENING.exec(output)?.[1]
      if (url !== undefined) resolve(url)
    }
    child.stdout?.on('data', take)
    child.stderr?.on('data', take)
    child.once('exit', (code, signal) => reject(new Error(`it ended (${code ?? signal}):\n${output}`)))
    setTimeout(() => reject(new Error(`it did not start:\n${output}`)), START_WITHIN_MS).unref()
  })
}

import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'

const REGISTER = path.resolve('test', 'jest', 'register.cjs')
const MAIN = path.resolve('simulator', 'main.ts')

export interface Ended {
  readonly exitCode: number | null
  readonly signal: string | null
  readonly stdout: string
  readonly stderr: string
}

const children: ChildProcess[] = []

/** The simulator in a process of its own, as `npm run simulate` runs it but straight from its source. */
export function simulate(...args: string[]): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
  const code = `require(${JSON.stringify(MAIN)})`
  const child = spawn(process.execPath, ['--require', REGISTER, '-e', code, '--', 'simulate', ...args], {
    env: { ...process.env, MILEPOST_ADMIN_PASSWORD: '' },
  })
  children.push(child)
  const texts = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => {
    texts.stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    texts.stderr += chunk
  })
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (exitCode, signal) => resolve({ exitCode, signal, ...texts }))
  })
  return { child, ended }
}

/** Ends what a test has left running. */
export function endSimulators(): void {
  for (const child of children.splice(0)) child.kill('SIGKILL')
}

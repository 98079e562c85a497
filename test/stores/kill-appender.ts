import { spawn } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

const ROOT = path.resolve(__dirname, '../..')

/**
 * Runs a process that appends numbered positions, kills it a moment after so many appends, and says which batches it had acknowledged.
 * @param place a directory, or a URL of MongoDB
 * @param file another program that does so with something else
 */
export async function killAppender(
  place: string,
  firstBatch: number,
  appends: number,
  file = 'append-until-killed.ts',
): Promise<number[]> {
  const hook = path.join(ROOT, 'test/jest/register.cjs')
  const program = path.join(ROOT, 'test/stores', file)
  const child = spawn(
    process.execPath,
    ['--require', hook, '--eval', `require(${JSON.stringify(program)})`, place, String(firstBatch)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const acknowledged: number[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    // Lines of the log are among them.
    if (!/^\d+$/.test(line)) continue
    acknowledged.push(Number(line))
    if (acknowledged.length === appends) void sleep(Math.random() * 20).then(() => child.kill('SIGKILL'))
  }
  return acknowledged
}

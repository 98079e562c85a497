import { randomUUID } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import path from 'node:path'

const NODE_FILE = 'milepost.node'

/**
 * What tells this server from others on the same stores: the same after a restart, so that what it had claimed there before is known
 * as its own. It is kept in the data directory, which no two servers use at once; on another machine, as where the directory was
 * copied to another server, it is a new one.
 * @param directory an existing one
 */
export function nodeIdOf(directory: string): string {
  const file = path.join(directory, NODE_FILE)
  const host = JSON.stringify(hostname())
  const [id, madeOn] = readIfThere(file).split('\n')
  if (id && madeOn === host) return id
  const made = randomUUID()
  const whole = `${file}.${process.pid}`
  writeFileSync(whole, `${made}\n${host}\n`, { flush: true, mode: 0o600 })
  renameSync(whole, file)
  return made
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}

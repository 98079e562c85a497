import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { tortureCommands } from './torture/command-torture.js'

afterAll(removeTemporaryDirectories)

describe('commands to units whose links are cut at any moment, on a server that is killed', () => {
  it('are each obeyed once and done, after 200 cuts and 5 kills', async () => {
    const seed = Date.now() % 1_000_000
    const options = { dataDirectory: temporaryDirectory(), disconnects: 200, kills: 5, units: 12, seed }
    const result = await tortureCommands(options)
    process.stdout.write(`seed ${seed}: ${JSON.stringify(result)}\n`)
    expect(result).toMatchObject({ kills: 5, lost: 0, unfinished: 0, notOnce: 0, invented: 0, inconsistent: 0 })
    expect(result.disconnects).toBeGreaterThanOrEqual(200)
    expect([result.sent > 50, result.resent > 5]).toEqual([true, true])
  }, 600_000)

  it('are seen to get lost by this very test when a restart forgets what was sent', async () => {
    const dist = buildThatForgetsWhatWasSent()
    const options = { dataDirectory: temporaryDirectory(), disconnects: 120, kills: 1, units: 8, seed: 7, dist }
    const result = await tortureCommands({ ...options, finishWithinMs: 5000 })
    process.stdout.write(`sending nothing again: ${JSON.stringify(result)}\n`)
    expect(result.unfinished).toBeGreaterThan(0)
  }, 300_000)
})

/** A copy of the build in which what was sent is taken for delivered. */
function buildThatForgetsWhatWasSent(): string {
  const directory = temporaryDirectory()
  const dist = path.join(directory, 'dist')
  cpSync('dist', dist, { recursive: true })
  cpSync('package.json', path.join(directory, 'package.json'))
  symlinkSync(path.resolve('node_modules'), path.join(directory, 'node_modules'))
  const file = path.join(dist, 'src/commands/command-dispatcher.js')
  const honest = 'await this.sendAgain(command, link)'
  const source = readFileSync(file, 'utf8')
  if (!source.includes(honest)) throw new Error('the line to spoil is not there any more')
  writeFileSync(file, source.replace(honest, 'undefined'))
  return dist
}

import { runsOnServers } from './stores/test-servers.js'
import { itEmbedded } from './support/on-embedded.js'
import { spoiledBuild } from './support/spoiled-build.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { tortureCommands } from './torture/command-torture.js'

/** `npm run torture` takes more, on either. */
const [CUTS, KILLS] = runsOnServers() ? [80, 2] : [200, 5]

afterAll(removeTemporaryDirectories)

describe('commands to units whose links are cut at any moment, on a server that is killed', () => {
  it('are each obeyed once and done, after many cuts and some kills', async () => {
    const seed = Date.now() % 1_000_000
    const options = { dataDirectory: temporaryDirectory(), disconnects: CUTS, kills: KILLS, units: 12, seed }
    const result = await tortureCommands(options)
    process.stdout.write(`seed ${seed}: ${JSON.stringify(result)}\n`)
    expect(result).toMatchObject({ kills: KILLS, lost: 0, unfinished: 0, notOnce: 0, invented: 0, inconsistent: 0 })
    expect(result.disconnects).toBeGreaterThanOrEqual(CUTS)
    expect([result.sent > CUTS / 4, result.resent > CUTS / 40]).toEqual([true, true])
  }, 600_000)

  itEmbedded(
    'that the test bites is shown once, and is no matter of stores',
    'are seen to get lost by this very test when a restart forgets what was sent',
    async () => {
      // What was sent is taken for delivered.
      const dist = spoiledBuild(
        'src/commands/command-dispatcher.js',
        'await this.sendAgain(command, link)',
        'undefined',
      )
      const options = { dataDirectory: temporaryDirectory(), disconnects: 120, kills: 1, units: 8, seed: 7, dist }
      const result = await tortureCommands({ ...options, finishWithinMs: 5000 })
      process.stdout.write(`sending nothing again: ${JSON.stringify(result)}\n`)
      expect(result.unfinished).toBeGreaterThan(0)
    },
    300_000,
  )
})

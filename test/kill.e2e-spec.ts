import { runsOnServers } from './stores/test-servers.js'
import { buildThatAcksBeforeCommit } from './support/early-build.js'
import { itEmbedded } from './support/on-embedded.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { tortureByKills } from './torture/kill-torture.js'

/** `npm run torture` takes more, on either. */
const KILLS = runsOnServers() ? 8 : 25
const UNITS = 24

afterAll(removeTemporaryDirectories)

describe('a server that is killed under load', () => {
  it('has every acknowledged record exactly once after many kills', async () => {
    const seed = Date.now() % 1_000_000
    const result = await tortureByKills({ dataDirectory: temporaryDirectory(), kills: KILLS, units: UNITS, seed })
    process.stdout.write(`seed ${seed}: ${JSON.stringify(result)}\n`)
    expect(result).toMatchObject({ kills: KILLS, lost: 0, doubled: 0, invented: 0 })
    expect(result.acked).toBeGreaterThan(KILLS * UNITS)
  }, 600_000)

  itEmbedded(
    'that the test bites is shown once, and is no matter of stores',
    'is caught losing records by this very test when it acknowledges before the commit',
    async () => {
      const dist = buildThatAcksBeforeCommit()
      const result = await tortureByKills({
        dataDirectory: temporaryDirectory(),
        kills: 3,
        units: UNITS,
        seed: 7,
        dist,
      })
      process.stdout.write(`acknowledging before the commit: ${JSON.stringify(result)}\n`)
      expect(result.lost).toBeGreaterThan(0)
    },
    300_000,
  )
})

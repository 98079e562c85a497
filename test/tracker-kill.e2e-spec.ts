import { runsOnServers } from './stores/test-servers.js'
import { buildThatAcksBeforeCommit } from './support/early-build.js'
import { itEmbedded } from './support/on-embedded.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { tortureTrackersByKills } from './torture/tracker-torture.js'

/** `npm run torture` takes more, on either. */
const KILLS = runsOnServers() ? 6 : 12
/** Six of each brand. */
const UNITS = 24

afterAll(removeTemporaryDirectories)

describe('a server that is killed while trackers of all brands send', () => {
  it('has every acknowledged record exactly once and as it was sent after many kills', async () => {
    const seed = Date.now() % 1_000_000
    const options = { dataDirectory: temporaryDirectory(), kills: KILLS, units: UNITS, seed }
    const result = await tortureTrackersByKills(options)
    process.stdout.write(`seed ${seed}: ${JSON.stringify(result)}\n`)
    expect(result).toMatchObject({ kills: KILLS, lost: 0, doubled: 0, invented: 0, altered: 0 })
    expect(Object.keys(result.ackedOf)).toEqual(['teltonika', 'queclink', 'ruptela', 'galileosky'])
    for (const acked of Object.values(result.ackedOf)) expect(acked).toBeGreaterThan((KILLS * UNITS) / 4)
  }, 600_000)

  itEmbedded(
    'that the test bites is shown once, and is no matter of stores',
    'is caught losing records by this very test when it acknowledges before the commit',
    async () => {
      const dist = buildThatAcksBeforeCommit()
      const options = { dataDirectory: temporaryDirectory(), kills: 3, units: UNITS, seed: 7, dist }
      const result = await tortureTrackersByKills(options)
      process.stdout.write(`acknowledging before the commit: ${JSON.stringify(result)}\n`)
      expect(result.lost).toBeGreaterThan(0)
    },
    300_000,
  )
})

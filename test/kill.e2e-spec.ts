import { spoiledBuild } from './support/spoiled-build.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { tortureByKills } from './torture/kill-torture.js'

const KILLS = 25
const UNITS = 24

afterAll(removeTemporaryDirectories)

describe('a server that is killed under load', () => {
  it('has every acknowledged record exactly once after 25 kills', async () => {
    const seed = Date.now() % 1_000_000
    const result = await tortureByKills({ dataDirectory: temporaryDirectory(), kills: KILLS, units: UNITS, seed })
    process.stdout.write(`seed ${seed}: ${JSON.stringify(result)}\n`)
    expect(result).toMatchObject({ kills: KILLS, lost: 0, doubled: 0, invented: 0 })
    expect(result.acked).toBeGreaterThan(KILLS * UNITS)
  }, 600_000)

  it('is caught losing records by this very test when it acknowledges before the commit', async () => {
    const dist = buildThatAcksBeforeCommit()
    const result = await tortureByKills({ dataDirectory: temporaryDirectory(), kills: 6, units: UNITS, seed: 7, dist })
    process.stdout.write(`acknowledging before the commit: ${JSON.stringify(result)}\n`)
    expect(result.lost).toBeGreaterThan(0)
  }, 300_000)
})

/** A copy of the build in which the group commit answers its callers first and writes afterwards. */
function buildThatAcksBeforeCommit(): string {
  const honest = 'const result = await this.positions.append(positions);'
  const early =
    'const result = { isNew: positions.map(() => true), isLatest: positions.map(() => false) }; void this.positions.append(positions).catch(() => undefined);'
  return spoiledBuild('src/pipeline/group-commit.js', honest, early)
}

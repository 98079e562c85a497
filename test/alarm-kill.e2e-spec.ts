import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { runsOnServers } from './stores/test-servers.js'
import { itEmbedded } from './support/on-embedded.js'
import { spoiledBuild } from './support/spoiled-build.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { tortureAlarmsByKills } from './torture/alarm-torture.js'

/** `npm run torture` takes more, on either. */
const KILLS = runsOnServers() ? 3 : 5
const UNITS = 16
const COMMIT = 'src/pipeline/alarm-commit.js'
const STORE = 'const raised = await this.records.raise(reports, this.context.maxFiles);'

afterAll(removeTemporaryDirectories)

describe('a server that is killed while alarms come in', () => {
  it('has every acknowledged alarm exactly once, whole, under the id it was given', async () => {
    const seed = Date.now() % 1_000_000
    const result = await tortureAlarmsByKills({ dataDirectory: temporaryDirectory(), kills: KILLS, units: UNITS, seed })
    process.stdout.write(`alarms, seed ${seed}: ${JSON.stringify(result)}\n`)
    expect(result).toMatchObject({ kills: KILLS, lost: 0, doubled: 0, invented: 0, altered: 0 })
    expect(result.acked).toBeGreaterThan(KILLS * UNITS)
  }, 300_000)

  it('answers the resend with the same alarm when it died between the commit and the acknowledgement', async () => {
    const dataDirectory = temporaryDirectory()
    const mortal = path.join(dataDirectory, 'mortal')
    const die = `if (Math.random() < 0.02 && process.getBuiltinModule('fs').existsSync(${JSON.stringify(mortal)})) process.kill(process.pid, 'SIGKILL');`
    const dist = spoiledBuild(COMMIT, STORE, `${STORE} ${die}`)
    writeFileSync(mortal, '')
    const result = await tortureAlarmsByKills({
      dataDirectory,
      kills: KILLS,
      units: UNITS,
      seed: 7,
      dist,
      endOnce: async (server, _, left) => {
        await server.ended()
        if (left === 0) rmSync(mortal)
      },
    })
    process.stdout.write(`alarms, dying between commit and acknowledgement: ${JSON.stringify(result)}\n`)
    expect(result).toMatchObject({ kills: KILLS, lost: 0, doubled: 0, invented: 0, altered: 0 })
    expect(result.resent).toBeGreaterThanOrEqual(KILLS)
  }, 300_000)

  itEmbedded(
    'that the test bites is shown once, and is no matter of stores',
    'is caught losing alarms by this very test when it acknowledges before the commit',
    async () => {
      const early = `const raised = reports.map((report) => ({ alarm: { ...report, id: 'early', files: [], history: [] }, isNew: true, isChanged: false })); void this.records.raise(reports, this.context.maxFiles).catch(() => undefined);`
      const dist = spoiledBuild(COMMIT, STORE, early)
      const result = await tortureAlarmsByKills({
        dataDirectory: temporaryDirectory(),
        kills: 3,
        units: UNITS,
        seed: 7,
        dist,
      })
      process.stdout.write(`alarms, acknowledging before the commit: ${JSON.stringify(result)}\n`)
      expect(result.lost).toBeGreaterThan(0)
    },
    300_000,
  )
})

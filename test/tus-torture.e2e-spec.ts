import { runsOnServers } from './stores/test-servers.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { tortureTus } from './torture/tus-torture.js'

/** `npm run torture` takes more, on either. */
const [CUTS, KILLS] = runsOnServers() ? [9, 1] : [25, 3]

afterAll(removeTemporaryDirectories)

describe('resumable uploads with the real client', () => {
  it('are whole and unchanged after many cuts at random offsets and some kills of the server', async () => {
    const seed = Date.now() % 1_000_000
    const options = { dataDirectory: temporaryDirectory(), cuts: CUTS, kills: KILLS, bytes: 4_000_000, seed }
    const result = await tortureTus(options)
    process.stdout.write(`seed ${seed}: ${JSON.stringify(result)}\n`)
    expect(result).toMatchObject({ cuts: CUTS, kills: KILLS, damaged: 0, surplus: 0, litter: 0 })
    expect(result.videos).toBeGreaterThanOrEqual((CUTS + KILLS) / 6)
  }, 300_000)
})

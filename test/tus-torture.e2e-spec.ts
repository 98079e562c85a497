import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { tortureTus } from './torture/tus-torture.js'

afterAll(removeTemporaryDirectories)

describe('resumable uploads with the real client', () => {
  it('are whole and unchanged after 25 cuts at random offsets and 3 kills of the server', async () => {
    const seed = Date.now() % 1_000_000
    const result = await tortureTus({ dataDirectory: temporaryDirectory(), cuts: 25, kills: 3, bytes: 4_000_000, seed })
    process.stdout.write(`seed ${seed}: ${JSON.stringify(result)}\n`)
    expect(result).toMatchObject({ cuts: 25, kills: 3, damaged: 0, surplus: 0, litter: 0 })
    expect(result.videos).toBeGreaterThanOrEqual(5)
  }, 300_000)
})

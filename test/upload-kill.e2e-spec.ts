import { UploadSweeper } from '../src/videos/upload-sweeper.js'
import { runsOnServers } from './stores/test-servers.js'
import { startApp } from './support/app.js'
import { heldUploads } from './support/held-uploads.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { tortureUploads } from './torture/upload-torture.js'

/** `npm run torture` takes more, on either. */
const KILLS = runsOnServers() ? 4 : 8

afterAll(removeTemporaryDirectories)

describe('a server that is killed while units upload', () => {
  it('has every file that it answered for, lists none that is not whole, and leaves nothing behind', async () => {
    const seed = Date.now() % 1_000_000
    const dataDirectory = temporaryDirectory()
    const result = await tortureUploads({ dataDirectory, kills: KILLS, units: 6, seed })
    process.stdout.write(`seed ${seed}: ${JSON.stringify(result)}\n`)
    expect(result).toMatchObject({ kills: KILLS, lost: 0, broken: 0 })
    // Each is several requests of a server, where there is one.
    expect(result.acked).toBeGreaterThan(runsOnServers() ? 8 : 50)
    const { app, close } = await startApp({ DATA_DIR: dataDirectory, MEDIA_WORKERS: '0' })
    try {
      await app
        .get(UploadSweeper, { strict: false })
        .sweep({ reservedBeforeMs: Date.now(), idleSinceMs: Date.now() + 60_000 })
    } finally {
      await close()
    }
    expect(await heldUploads(dataDirectory)).toEqual([])
  }, 300_000)
})

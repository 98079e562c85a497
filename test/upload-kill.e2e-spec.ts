import { readdirSync } from 'node:fs'
import path from 'node:path'
import { UploadSweeper } from '../src/videos/upload-sweeper.js'
import { startApp } from './support/app.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { tortureUploads } from './torture/upload-torture.js'

afterAll(removeTemporaryDirectories)

describe('a server that is killed while units upload', () => {
  it('has every file that it answered for, lists none that is not whole, and leaves nothing behind', async () => {
    const seed = Date.now() % 1_000_000
    const dataDirectory = temporaryDirectory()
    const result = await tortureUploads({ dataDirectory, kills: 8, units: 6, seed })
    process.stdout.write(`seed ${seed}: ${JSON.stringify(result)}\n`)
    expect(result).toMatchObject({ kills: 8, lost: 0, broken: 0 })
    expect(result.acked).toBeGreaterThan(50)
    const { app, close } = await startApp({ DATA_DIR: dataDirectory, MEDIA_WORKERS: '0' })
    try {
      await app.get(UploadSweeper, { strict: false }).sweep({ reservedBeforeMs: Date.now(), idleSinceMs: Date.now() })
    } finally {
      await close()
    }
    expect(readdirSync(path.join(dataDirectory, 'blobs', 'uploads'))).toEqual([])
  }, 300_000)
})

import { existsSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { inEmptyDirectory, sweepEmptyDirectories } from './empty-directory.js'

const HOUR_S = 3600

describe('inEmptyDirectory', () => {
  it('gives each run a directory with nothing in it, and removes it with what is in it then', async () => {
    const seen = await inEmptyDirectory(async (directory) => {
      expect(readdirSync(directory)).toEqual([])
      writeFileSync(path.join(directory, 'left'), 'x')
      return directory
    })
    expect(existsSync(seen)).toBe(false)
  })

  it('removes it when the run fails', async () => {
    let seen = ''
    const failing = inEmptyDirectory(async (directory) => {
      seen = directory
      throw new Error('it failed')
    })
    await expect(failing).rejects.toThrow('it failed')
    expect(existsSync(seen)).toBe(false)
  })
})

describe('sweepEmptyDirectories', () => {
  it('removes what a killed server left, and nothing that may be in use', async () => {
    const [old, young] = [0, 1].map(() => mkdtempSync(path.join(tmpdir(), 'milepost-media-'))) as [string, string]
    const nowMs = Date.now()
    utimesSync(old, nowMs / 1000 - HOUR_S - 1, nowMs / 1000 - HOUR_S - 1)
    await sweepEmptyDirectories(nowMs)
    expect([existsSync(old), existsSync(young)]).toEqual([false, true])
    rmSync(young, { recursive: true })
  })
})

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DataDirectoryError, DataDirectoryLock, prepareDataDirectory } from './data-directory.js'
import { StoreOpenError } from './store-open-error.js'

const SOURCE = path.join(__dirname, 'data-directory.ts')
const HOOK = path.join(__dirname, '../../test/jest/register.cjs')

describe('the data directory', () => {
  let root: string
  const children: ChildProcess[] = []

  beforeEach(() => {
    root = mkdtempSync(path.join(tmpdir(), 'milepost-directory-'))
  })
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
    rmSync(root, { recursive: true, force: true })
  })

  /** Another process that takes the lock and keeps it until it is killed. */
  async function holdElsewhere(): Promise<ChildProcess> {
    const script = `require(${JSON.stringify(SOURCE)}).DataDirectoryLock.acquire(${JSON.stringify(root)}); console.log('held'); setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--require', HOOK, '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    children.push(child)
    await once(child.stdout, 'data')
    return child
  }

  it('is made with its parents, for its owner only, and left without the probe', () => {
    const directory = path.join(root, 'a', 'b')

    expect(prepareDataDirectory(directory)).toBe(directory)

    expect(statSync(directory).mode & 0o777).toBe(0o700)
    expect(statSync(path.join(root, 'a')).mode & 0o777).toBe(0o700)
    expect(readdirSync(directory)).toEqual([])
  })

  it('is refused in one line with exit code 73 when a file is in its place', () => {
    const file = path.join(root, 'file')
    writeFileSync(file, '')

    const error = catchError(() => prepareDataDirectory(file))

    expect(error).toBeInstanceOf(DataDirectoryError)
    expect(error).toMatchObject({ exitCode: 73, message: `data directory ${file} cannot be made: file already exists` })
  })

  it('is refused when nothing can be made there', () => {
    const error = catchError(() => prepareDataDirectory('/proc/milepost'))

    expect(error).toMatchObject({
      exitCode: 73,
      message: 'data directory /proc/milepost cannot be made: no such file or directory',
    })
  })

  it('refuses a second server in one line with exit code 69, naming the first one', async () => {
    const holder = await holdElsewhere()

    const error = catchError(() => DataDirectoryLock.acquire(root))

    expect(error).toBeInstanceOf(StoreOpenError)
    expect(error).toMatchObject({
      exitCode: 69,
      message: `cannot open ${root}: another server is using this data directory (process ${holder.pid})`,
    })
  })

  it('is free again at once after the first server was killed', async () => {
    const holder = await holdElsewhere()
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    expect(existsSync(path.join(root, 'milepost.pid'))).toBe(true)

    const lock = DataDirectoryLock.acquire(root)

    expect(catchError(() => DataDirectoryLock.acquire(root))).toMatchObject({
      message: `cannot open ${root}: another server is using this data directory (process ${process.pid})`,
    })
    lock.release()
  })

  it('is free again after a release, which may be repeated', () => {
    const lock = DataDirectoryLock.acquire(root)
    lock.release()
    lock.release()

    DataDirectoryLock.acquire(root).release()

    expect(existsSync(path.join(root, 'milepost.pid'))).toBe(false)
  })
})

function catchError(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

import { AppError } from '../../src/model/app-error.js'
import { openSqlitePositions } from '../../src/storage/positions/sqlite-position-store.js'
import { removeTemporaryDirectories, temporaryDirectory } from '../support/temporary-directory.js'
import { FaultyPositionStore } from './faulty-position-store.js'
import { numberedPositions } from './numbered-positions.js'

describe('FaultyPositionStore', () => {
  let store: FaultyPositionStore

  beforeEach(async () => {
    store = new FaultyPositionStore(await openSqlitePositions({ directory: temporaryDirectory() }))
  })

  afterEach(() => store.close())
  afterAll(removeTemporaryDirectories)

  const countStored = async () => (await store.listTrack('numbered-0', { limit: 1000, includeWithoutFix: true })).length

  it('lets everything through without a fault', async () => {
    const { isNew } = await store.append(numberedPositions(0))
    expect(isNew).toEqual(Array(200).fill(true))
    await expect(store.checkHealth()).resolves.toBeUndefined()
    expect(await countStored()).toBe(5)
  })

  it('holds writes while it is stalled and carries them out, in order, when it recovers', async () => {
    store.stall()
    const order: string[] = []
    const first = store.append(numberedPositions(0)).then(({ isNew }) => order.push(`first ${isNew[0]}`))
    const again = store.append(numberedPositions(0)).then(({ isNew }) => order.push(`again ${isNew[0]}`))
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(order).toEqual([])
    expect(await countStored()).toBe(0)
    store.recover()
    await Promise.all([first, again])
    expect(order).toEqual(['first true', 'again false'])
  })

  it('fails writes with the error it was given, reads too when told so, until it recovers', async () => {
    const error = new AppError('disk_full')
    store.fail(error)
    await expect(store.append(numberedPositions(0))).rejects.toBe(error)
    await expect(store.checkHealth()).rejects.toBe(error)
    expect(await countStored()).toBe(0)
    store.fail(error, { reads: true })
    await expect(store.findLatest('numbered-0')).rejects.toBe(error)
    store.recover()
    expect((await store.append(numberedPositions(0))).isNew[0]).toBe(true)
    expect(await countStored()).toBe(5)
  })
})

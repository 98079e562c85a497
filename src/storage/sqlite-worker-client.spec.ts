import type { UnreliableThread } from '../../test/stores/unreliable-thread.js'
import { AppError } from '../model/app-error.js'
import { SqliteWorkerClient } from './sqlite-worker-client.js'
import { startWorkerThread } from './worker-thread.js'

describe('SqliteWorkerClient', () => {
  let starts: number
  let client: SqliteWorkerClient<UnreliableThread>

  const make = (workerData: object = {}, maxWaiting = 100) => {
    starts = 0
    client = new SqliteWorkerClient<UnreliableThread>({
      name: 'test',
      maxWaiting,
      start: () => {
        starts++
        return startWorkerThread(import.meta.url, '../../test/stores/unreliable-thread.js', { workerData })
      },
    })
    return client
  }

  afterEach(() => client.close())

  it('answers every call with its own value, in the order they were made', async () => {
    make()
    const texts = Array.from({ length: 50 }, (_, index) => `call ${index}`)
    expect(await Promise.all(texts.map((text) => client.call('echo', text)))).toEqual(texts)
    expect(await client.call('listHandled', undefined)).toEqual(texts)
    expect(starts).toBe(1)
  })

  it('moves buffers instead of copying them', async () => {
    make()
    const numbers = Float64Array.of(1.5, -2, Number.NaN)
    const { doubled } = await client.call('double', numbers, [numbers.buffer])
    expect([...doubled]).toEqual([3, -4, Number.NaN])
    expect(numbers.byteLength).toBe(0)
  })

  it('rejects a call that failed with its reason, and only that one', async () => {
    make()
    const [failed, echoed] = await Promise.allSettled([
      client.call('fail', { message: 'no such table: t', code: 'SQLITE_ERROR' }),
      client.call('echo', 'still here'),
    ])
    expect(failed).toMatchObject({
      reason: {
        name: 'AppError',
        code: 'store_unavailable',
        message: 'test: no such table: t (SQLITE_ERROR)',
        cause: { stack: expect.stringContaining('unreliable-thread.ts') },
      },
    })
    expect(echoed).toEqual({ status: 'fulfilled', value: 'still here' })
  })

  it('tells a full disk from other failures', async () => {
    make()
    await expect(client.call('fail', { message: 'full', code: 'SQLITE_FULL' })).rejects.toMatchObject({
      code: 'disk_full',
    })
  })

  it('refuses calls beyond what may wait', async () => {
    make({}, 2)
    const waiting = [client.call('busy', 50), client.call('echo', 'second')]
    expect(client.waitingCalls).toBe(2)
    await expect(client.call('echo', 'third')).rejects.toMatchObject({ code: 'overloaded' })
    await Promise.all(waiting)
    expect(await client.call('echo', 'fourth')).toBe('fourth')
  })

  it('rejects what waits when the thread dies, and starts another one for the next call', async () => {
    make()
    const waiting = [client.call('crash', undefined), client.call('busy', 20)]
    const outcomes = await Promise.allSettled([...waiting, client.call('echo', 'lost')])
    expect(outcomes.at(-1)).toMatchObject({
      reason: { code: 'store_unavailable', message: 'test: its thread ended: a bug', cause: { message: 'a bug' } },
    })
    expect(await client.call('echo', 'back')).toBe('back')
    expect(starts).toBe(2)
  })

  it('waits longer and longer before it starts a thread that keeps dying', async () => {
    make()
    // How many deaths it takes depends on how quickly this machine ends a thread: a call may still reach one that is dying.
    const crashAndAsk = async (): Promise<unknown> => {
      await client.call('crash', undefined).catch(() => {})
      return client.call('echo', 'too early').catch((error: unknown) => error)
    }
    const isNotStarted = (error: unknown) => error instanceof AppError && error.retryAfterMs !== undefined
    let refused = await crashAndAsk()
    for (let turn = 0; turn < 50 && !isNotStarted(refused); turn++) refused = await crashAndAsk()
    const startsThen = starts
    expect(refused).toMatchObject({
      code: 'store_unavailable',
      message: 'test: its thread ended and is not started again yet',
      cause: { message: 'a bug' },
    })
    const { retryAfterMs } = refused as { retryAfterMs: number }
    expect(retryAfterMs).toBeGreaterThan(0)
    expect(retryAfterMs).toBeLessThanOrEqual(5000)
    expect(starts).toBe(startsThen)
    await new Promise((resolve) => setTimeout(resolve, retryAfterMs + 5))
    expect(await client.call('echo', 'in time')).toBe('in time')
    expect(starts).toBe(startsThen + 1)
  })

  it('gives up a thread that failed three times in a row, but not one whose disk is full', async () => {
    make()
    for (let turn = 0; turn < 5; turn++) {
      await client.call('fail', { message: 'full', code: 'SQLITE_FULL' }).catch(() => {})
    }
    expect(await client.call('echo', 'the same')).toBe('the same')
    expect(starts).toBe(1)
    const failures = [1, 2, 3].map(() => client.call('fail', { message: 'disk I/O error', code: 'SQLITE_IOERR' }))
    await Promise.allSettled([...failures, client.call('echo', 'may be lost')])
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(await client.call('listHandled', undefined)).toEqual([])
    expect(starts).toBe(2)
  })

  it('says why a thread cannot open what it serves', async () => {
    make({ refusal: 'the file is somebody else’s' })
    await expect(client.open('test.sqlite')).rejects.toMatchObject({
      name: 'StoreOpenError',
      message: 'cannot open test.sqlite: the file is somebody else’s',
      exitCode: 69,
    })
  })

  it('finishes what was sent before it is closed, and takes nothing afterwards', async () => {
    make()
    const sent = [client.call('busy', 20), client.call('echo', 'last')]
    await client.close()
    expect(await Promise.all(sent)).toEqual([undefined, 'last'])
    await expect(client.call('echo', 'late')).rejects.toMatchObject({ message: 'test: it is closed' })
  })
})

import { Metrics } from '../metrics/metrics.js'
import { AppError } from '../model/app-error.js'
import { Readiness } from './readiness.js'

const ok = async () => undefined
const fail = async () => {
  throw new AppError('store_unavailable', 'positions: the thread has ended')
}

describe('Readiness', () => {
  let metrics: Metrics
  beforeEach(() => {
    jest.useFakeTimers({ now: 0 })
    metrics = new Metrics()
  })
  afterEach(() => jest.useRealTimers())

  const gauges = async () =>
    Object.fromEntries((await metrics.storeUp.get()).values.map(({ labels, value }) => [labels.store, value]))

  it('is ok when every store is', async () => {
    const readiness = new Readiness({ sql: ok, positions: ok }, metrics)
    expect(await readiness.report()).toEqual({
      status: 'ok',
      details: { sql: { status: 'ok', message: null }, positions: { status: 'ok', message: null } },
    })
    expect(await gauges()).toEqual({ sql: 1, positions: 1 })
  })

  it('names the store that does not work, with its reason', async () => {
    const readiness = new Readiness({ sql: ok, positions: fail }, metrics)
    expect(await readiness.report()).toEqual({
      status: 'error',
      details: {
        sql: { status: 'ok', message: null },
        positions: { status: 'error', message: 'positions: the thread has ended' },
      },
    })
    expect(await gauges()).toEqual({ sql: 1, positions: 0 })
  })

  it('tells what does not work and is ready all the same, when units can do without', async () => {
    const missing = async () => {
      throw new Error('there is no ffmpeg')
    }
    const readiness = new Readiness({ sql: ok }, metrics, { media: missing })
    expect(await readiness.report()).toEqual({
      status: 'ok',
      details: { sql: { status: 'ok', message: null }, media: { status: 'error', message: 'there is no ffmpeg' } },
    })
    expect(await gauges()).toEqual({ sql: 1, media: 0 })
  })

  it('tells what a store that works has to say', async () => {
    const readiness = new Readiness({ sql: ok, spool: async () => '3 messages wait' }, metrics)
    expect(await readiness.report()).toEqual({
      status: 'ok',
      details: { sql: { status: 'ok', message: null }, spool: { status: 'ok', message: '3 messages wait' } },
    })
  })

  it('asks all stores at once and gives a store that hangs two seconds', async () => {
    const hang = () => new Promise<void>(() => undefined)
    const readiness = new Readiness({ sql: hang, positions: hang, disk: ok }, metrics)
    const report = readiness.report()
    await jest.advanceTimersByTimeAsync(2000)
    expect(await report).toEqual({
      status: 'error',
      details: {
        sql: { status: 'error', message: 'no answer within 2000 ms' },
        positions: { status: 'error', message: 'no answer within 2000 ms' },
        disk: { status: 'ok', message: null },
      },
    })
  })

  it('does not ask a store again while it has not answered, and believes it when it has', async () => {
    let asked = 0
    let answer: () => void = () => undefined
    const readiness = new Readiness(
      {
        sql: () => {
          asked += 1
          return new Promise<void>((resolve) => {
            answer = resolve
          })
        },
      },
      metrics,
    )
    for (let probe = 0; probe < 5; probe++) {
      const report = readiness.report()
      await jest.advanceTimersByTimeAsync(3000)
      expect((await report).status).toBe('error')
    }
    expect(asked).toBe(1)
    const report = readiness.report()
    answer()
    expect((await report).status).toBe('ok')
  })

  it('asks stores once a second however many probe', async () => {
    let asked = 0
    const count = async () => {
      asked += 1
    }
    const readiness = new Readiness({ sql: count }, metrics)
    await Promise.all(Array.from({ length: 50 }, () => readiness.report()))
    await jest.advanceTimersByTimeAsync(999)
    await readiness.report()
    expect(asked).toBe(1)
    await jest.advanceTimersByTimeAsync(1)
    await readiness.report()
    expect(asked).toBe(2)
  })
})

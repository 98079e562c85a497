import { AppError } from '../model/app-error.js'
import { HealthProbe } from './health-probe.js'

describe('HealthProbe', () => {
  it('is well when the probe is', async () => {
    await expect(new HealthProbe('test', async () => {}).check()).resolves.toBeUndefined()
  })

  it('ends with what the probe ended with', async () => {
    const error = new AppError('disk_full')
    await expect(new HealthProbe('test', () => Promise.reject(error)).check()).rejects.toBe(error)
  })

  it('gives up on a slow probe, keeps one waiting at a time, and is well again when that one is', async () => {
    let probes = 0
    let end: () => void = () => {}
    const probe = new HealthProbe(
      'test',
      () => {
        probes++
        return new Promise((resolve) => {
          end = resolve
        })
      },
      20,
    )
    for (let turn = 0; turn < 3; turn++) {
      await expect(probe.check()).rejects.toMatchObject({
        code: 'store_unavailable',
        message: 'test: no commit within 20 ms',
      })
    }
    expect(probes).toBe(1)
    const next = probe.check()
    end()
    await expect(next).resolves.toBeUndefined()
  })

  it('says of a slow probe what the one before ended with, until one is well', async () => {
    const away = () => Promise.reject(new Error('connection refused'))
    const outcomes = [
      away,
      () => new Promise<void>((resolve) => setTimeout(resolve, 60)),
      () => new Promise<void>(() => {}),
    ]
    const probe = new HealthProbe('test', () => (outcomes.shift() ?? away)(), 20)
    await expect(probe.check()).rejects.toThrow('connection refused')
    await expect(probe.check()).rejects.toThrow('test: no commit within 20 ms; before that: connection refused')
    await new Promise((resolve) => setTimeout(resolve, 100))
    await expect(probe.check()).rejects.toThrow(/^test: no commit within 20 ms$/)
  })
})

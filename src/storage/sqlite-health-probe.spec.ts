import { AppError } from '../model/app-error.js'
import { SqliteHealthProbe } from './sqlite-health-probe.js'

describe('SqliteHealthProbe', () => {
  it('is well when the probe is', async () => {
    await expect(new SqliteHealthProbe('test', async () => {}).check()).resolves.toBeUndefined()
  })

  it('ends with what the probe ended with', async () => {
    const error = new AppError('disk_full')
    await expect(new SqliteHealthProbe('test', () => Promise.reject(error)).check()).rejects.toBe(error)
  })

  it('gives up on a slow probe, keeps one waiting at a time, and is well again when that one is', async () => {
    let probes = 0
    let end: () => void = () => {}
    const probe = new SqliteHealthProbe(
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
})

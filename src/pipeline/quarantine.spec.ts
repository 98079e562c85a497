import { Metrics } from '../metrics/metrics.js'
import type { QuarantinedRecord, QuarantineStore } from '../storage/quarantine/quarantine-store.js'
import { Quarantine } from './quarantine.js'

/** A store whose writes are done when the test says so. */
function build() {
  const kept: string[] = []
  const writes: Array<(error?: Error) => void> = []
  const keep = (records: readonly QuarantinedRecord[]) =>
    new Promise<void>((resolve, reject) => {
      writes.push((error) => {
        if (error !== undefined) return reject(error)
        kept.push(...records.map(({ deviceId }) => deviceId))
        resolve()
      })
    })
  const quarantine = new Quarantine({ keep } as unknown as QuarantineStore, new Metrics())
  const refuse = (deviceId: string) =>
    quarantine.keep({ deviceId, ingress: 'http', receivedAtMs: 1, rawOf: () => '{}' }, [{ index: 0, code: 'too_old' }])
  return { quarantine, refuse, kept, writes }
}

describe('Quarantine', () => {
  it.each([
    ['is done', undefined],
    ['fails', new Error('the disk is gone')],
  ])('forgets what waits of a device, and says so once the write that is under way %s', async (_, error) => {
    const { quarantine, refuse, kept, writes } = build()
    for (const deviceId of ['a', 'a', 'b', 'c']) refuse(deviceId)
    let isForgotten = false
    const forgotten = quarantine.forget('a').then(() => {
      isForgotten = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(isForgotten).toBe(false)
    writes[0]?.(error)
    await forgotten
    expect(kept).toEqual(error === undefined ? ['a'] : [])
    while (writes.length < 2) await new Promise((resolve) => setImmediate(resolve))
    writes[1]?.()
    await quarantine.drain()
    expect(kept).toEqual(error === undefined ? ['a', 'b', 'c'] : ['b', 'c'])
  })

  it('is drained when all that waits was written, which may take several batches', async () => {
    const { quarantine, refuse, kept, writes } = build()
    for (let count = 0; count < 1200; count++) refuse('a')
    const drained = quarantine.drain(60_000)
    for (let at = 0; at < 4; at++) {
      while (writes.length <= at) await new Promise((resolve) => setImmediate(resolve))
      writes[at]?.()
    }
    await drained
    expect(kept).toHaveLength(1200)
  })

  it('waits no longer than it may to be drained', async () => {
    const { quarantine, refuse, writes } = build()
    refuse('a')
    refuse('b')
    await quarantine.drain(10)
    expect(writes).toHaveLength(1)
  })

  it('has nothing to wait for when nothing is written', async () => {
    await expect(build().quarantine.forget('a')).resolves.toBeUndefined()
  })
})

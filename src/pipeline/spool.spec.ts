import { setTimeout as sleep } from 'node:timers/promises'
import { Logger } from '@nestjs/common'
import { makePosition } from '../../test/support/positions.js'
import { removeTemporaryDirectories, temporaryDirectory } from '../../test/support/temporary-directory.js'
import { Metrics } from '../metrics/metrics.js'
import { AppError } from '../model/app-error.js'
import type { Delivery } from '../model/delivery.js'
import type { QuarantinedRecord } from '../storage/quarantine/quarantine-store.js'
import type { SpoolStore } from '../storage/spool/spool-store.js'
import { openSqliteSpool } from '../storage/spool/sqlite-spool-store.js'
import { Spool } from './spool.js'

const MIB = 1_048_576
const START_MS = Date.now() - 3_600_000
const AWAY = new AppError('store_unavailable', 'the database is down')

/** Message `n` of a device. */
function message(deviceId: string, n: number, text = ''): Delivery {
  const receivedAtMs = Date.now()
  const position = makePosition({
    deviceId,
    timeMs: START_MS + n,
    discriminator: n,
    receivedAtMs,
    attributes: { n, text },
  })
  return {
    deviceId,
    ingress: 'udp',
    receivedAtMs,
    records: [{ position }],
    rawOf: () => '',
    alarms: [],
    conditions: [],
    watched: [],
  }
}

const secondsSince = (atMs: number) => Math.round((Date.now() - atMs) / 1000)
const nameOf = ({ deviceId, records }: Delivery) => `${deviceId} ${records[0]?.position?.discriminator}`

/** The stores behind the pipeline, as a test wants them. */
class Stores {
  readonly settled: string[] = []
  readonly quarantined: QuarantinedRecord[] = []
  isQuarantineAway = false
  fault: (delivery: Delivery) => Promise<void> | void = () => undefined

  async settle(delivery: Delivery): Promise<void> {
    await this.fault(delivery)
    this.settled.push(nameOf(delivery))
  }

  async keep(records: readonly QuarantinedRecord[]): Promise<void> {
    if (this.isQuarantineAway) throw AWAY
    this.quarantined.push(...records)
  }

  goAway(error: Error = AWAY): void {
    this.fault = () => {
      throw error
    }
  }

  comeBack(): void {
    this.fault = () => undefined
  }
}

describe('Spool', () => {
  let directory: string
  let store: SpoolStore
  let stores: Stores
  let metrics: Metrics
  let spool: Spool
  let isDiskFull: boolean
  let settleWithinMs: number

  const build = () => {
    const disk = {
      assertWritable: () => {
        if (isDiskFull) throw new AppError('disk_full')
      },
    }
    const context = { limits: { retentionMs: 0 }, metrics, settleWithinMs }
    return new Spool(store, stores, stores, disk, context)
  }
  const start = async (maxBytes = 64 * MIB) => {
    store = await openSqliteSpool({ directory, maxBytes })
    spool = build()
    await spool.load()
    spool.start()
  }
  const stop = async () => {
    await spool.stop()
    await spool.drain()
    await store.close()
  }
  const restart = async (maxBytes?: number) => {
    await stop()
    await start(maxBytes)
  }
  const untilEmpty = async () => {
    for (let tries = 0; store.state().entries > 0; tries++) {
      if (tries === 1000) throw new Error(`${store.state().entries} entries stay in the spool`)
      await sleep(10)
    }
  }
  const settleOrKeep = (deviceId: string, n: number) => spool.settleOrKeep(message(deviceId, n))
  const waits = async () => (await store.list({ limit: 1000 })).length
  const valuesOf = async (name: string) => {
    const metric = await metrics.registry.getSingleMetric(name)?.get()
    return Object.fromEntries((metric?.values ?? []).map(({ labels, value }) => [Object.values(labels).join(), value]))
  }

  beforeEach(async () => {
    Logger.overrideLogger(false)
    directory = temporaryDirectory()
    stores = new Stores()
    metrics = new Metrics()
    isDiskFull = false
    settleWithinMs = 100
    await start()
  })
  afterEach(stop)
  afterAll(removeTemporaryDirectories)

  it('leaves what the stores take to them', async () => {
    expect(await Promise.all([settleOrKeep('a', 1), settleOrKeep('b', 1)])).toEqual(['stored', 'stored'])
    expect(stores.settled).toEqual(['a 1', 'b 1'])
    expect(store.state().entries).toBe(0)
    expect(await valuesOf('milepost_spool_kept_total')).toEqual({})
  })

  it.each(['store_unavailable', 'overloaded'] as const)(
    'keeps what meets %s, and hands it on once, in the order of each device, when the stores are back',
    async (code) => {
      stores.goAway(new AppError(code))
      const outcomes = []
      for (let n = 1; n <= 30; n++) outcomes.push(await settleOrKeep('a', n), await settleOrKeep('b', n))
      expect(new Set(outcomes)).toEqual(new Set(['kept']))
      expect(await waits()).toBe(60)
      stores.comeBack()
      await untilEmpty()
      const expected = (device: string) => Array.from({ length: 30 }, (_, n) => `${device} ${n + 1}`)
      expect(stores.settled.filter((name) => name.startsWith('a'))).toEqual(expected('a'))
      expect(stores.settled.filter((name) => name.startsWith('b'))).toEqual(expected('b'))
      expect(await settleOrKeep('a', 31)).toBe('stored')
      expect(await valuesOf('milepost_spool_kept_total')).toEqual({ udp: 60 })
      expect(await valuesOf('milepost_spool_drained_total')).toEqual({ stored: 60 })
    },
  )

  it('keeps what the stores do not take in time, and does not bring it again when they took it late', async () => {
    let take: () => void = () => undefined
    stores.fault = () =>
      new Promise((resolve) => {
        take = resolve
      })
    const startedMs = performance.now()
    expect(await settleOrKeep('a', 1)).toBe('kept')
    expect(performance.now() - startedMs).toBeLessThan(1000)
    expect(await waits()).toBe(1)
    take()
    await untilEmpty()
    expect(stores.settled).toEqual(['a 1'])
  })

  it('lets nothing of a device overtake what waits, neither what came after it nor what was under way with it', async () => {
    settleWithinMs = 5000
    await restart()
    const fates: Array<(error?: Error) => void> = []
    stores.fault = () => new Promise((resolve, reject) => fates.push((error) => (error ? reject(error) : resolve())))
    const first = settleOrKeep('a', 1)
    const second = settleOrKeep('a', 2)
    const other = settleOrKeep('b', 1)
    await sleep(10)
    stores.goAway()
    fates[0]?.(AWAY)
    await sleep(0)
    const third = settleOrKeep('a', 3)
    fates[2]?.()
    expect(await other).toBe('stored')
    expect(await Promise.all([first, second, third])).toEqual(['kept', 'kept', 'kept'])
    fates[1]?.(AWAY)
    stores.comeBack()
    await untilEmpty()
    expect(stores.settled).toEqual(['b 1', 'a 1', 'a 2', 'a 3'])
  })

  it('keeps what is said twice once', async () => {
    stores.goAway()
    expect([await settleOrKeep('a', 1), await settleOrKeep('a', 1), await settleOrKeep('b', 1)]).toEqual([
      'kept',
      'kept',
      'kept',
    ])
    expect(await waits()).toBe(2)
    stores.comeBack()
    await untilEmpty()
    expect([...stores.settled].sort()).toEqual(['a 1', 'b 1'])
    expect(await settleOrKeep('a', 2)).toBe('stored')
  })

  it('hands on what an earlier process left, before anything newer of its device', async () => {
    stores.goAway()
    for (let n = 1; n <= 5; n++) await settleOrKeep('a', n)
    await restart()
    expect(await settleOrKeep('a', 6)).toBe('kept')
    stores.comeBack()
    expect(await settleOrKeep('b', 1)).toBe('stored')
    await untilEmpty()
    expect(stores.settled).toEqual(['b 1', 'a 1', 'a 2', 'a 3', 'a 4', 'a 5', 'a 6'])
  })

  it('drains much more than it looks at at once, each device in its order', async () => {
    stores.goAway()
    const count = 1500
    await Promise.all(Array.from({ length: count }, (_, n) => settleOrKeep(`d${n % 10}`, n)))
    expect(store.state().entries).toBe(count)
    stores.comeBack()
    await untilEmpty()
    expect(stores.settled.length).toBe(count)
    for (let device = 0; device < 10; device++) {
      const numbers = stores.settled
        .filter((name) => name.startsWith(`d${device} `))
        .map((name) => Number(name.split(' ')[1]))
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
    }
  }, 30_000)

  it('does not let a device that has to wait hold up the others', async () => {
    stores.fault = ({ deviceId }) => {
      throw new AppError('store_unavailable', deviceId)
    }
    for (let n = 1; n <= 3; n++) for (const device of ['a', 'b', 'c']) await settleOrKeep(device, n)
    stores.fault = ({ deviceId }) => {
      if (deviceId === 'a') throw AWAY
    }
    while (store.state().entries > 3) await sleep(10)
    expect([...stores.settled].sort()).toEqual(['b 1', 'b 2', 'b 3', 'c 1', 'c 2', 'c 3'])
    expect(await settleOrKeep('b', 4)).toBe('stored')
    expect(await settleOrKeep('a', 4)).toBe('kept')
    stores.comeBack()
    await untilEmpty()
    expect(stores.settled.slice(-4)).toEqual(['a 1', 'a 2', 'a 3', 'a 4'])
  })

  describe('when it can keep nothing', () => {
    it('refuses what neither it nor the stores have room for, counts it, and takes the next when there is room', async () => {
      await restart(MIB)
      stores.goAway()
      const large = (n: number) => spool.settleOrKeep(message('a', n, 'x'.repeat(200_000)))
      const outcomes: string[] = []
      for (let n = 1; n <= 7; n++)
        outcomes.push(
          await large(n).then(
            (outcome) => outcome,
            (error: AppError) => error.code,
          ),
        )
      expect(outcomes).toEqual(['kept', 'kept', 'kept', 'kept', 'kept', 'overloaded', 'overloaded'])
      expect(await valuesOf('milepost_spool_refused_total')).toEqual({ overloaded: 2 })
      stores.comeBack()
      await untilEmpty()
      expect(stores.settled).toEqual(['a 1', 'a 2', 'a 3', 'a 4', 'a 5'])
      expect(await large(8)).toBe('stored')
    })

    it('refuses while the disk is full', async () => {
      stores.goAway(new AppError('disk_full'))
      isDiskFull = true
      await expect(settleOrKeep('a', 1)).rejects.toMatchObject({ code: 'disk_full' })
      expect(await valuesOf('milepost_spool_refused_total')).toEqual({ disk_full: 1 })
      expect(await waits()).toBe(0)
      isDiskFull = false
      expect(await settleOrKeep('a', 2)).toBe('kept')
    })

    it('waits for the stores to say whether they have it', async () => {
      stores.fault = async ({ deviceId }) => {
        await sleep(300)
        if (deviceId === 'a') throw AWAY
      }
      isDiskFull = true
      const [a, b] = await Promise.allSettled([settleOrKeep('a', 1), settleOrKeep('b', 1)])
      expect(a).toMatchObject({ status: 'rejected', reason: { code: 'disk_full' } })
      expect(b).toEqual({ status: 'fulfilled', value: 'stored' })
    })
  })

  describe('what can never be stored', () => {
    it('goes to quarantine, as soon as that takes it, and does not hold up the rest', async () => {
      stores.fault = ({ records }) => {
        if (records[0]?.position?.discriminator === 2) throw new TypeError('a defect')
        throw AWAY
      }
      for (let n = 1; n <= 3; n++) expect(await settleOrKeep('a', n)).toBe('kept')
      stores.isQuarantineAway = true
      stores.fault = ({ records }) => {
        if (records[0]?.position?.discriminator === 2) throw new TypeError('a defect')
      }
      while (stores.settled.length === 0) await sleep(10)
      await sleep(100)
      expect([stores.settled, await waits()]).toEqual([['a 1'], 2])
      stores.isQuarantineAway = false
      await untilEmpty()
      expect(stores.settled).toEqual(['a 1', 'a 3'])
      expect(stores.quarantined).toEqual([
        {
          deviceId: 'a',
          ingress: 'spool',
          code: 'internal',
          receivedAtMs: expect.any(Number),
          raw: expect.stringContaining('"discriminator":2'),
        },
      ])
      expect(await valuesOf('milepost_spool_drained_total')).toEqual({ stored: 2, quarantined: 1 })
      expect(await valuesOf('milepost_quarantined_total')).toEqual({ internal: 1 })
    })

    it('is also what nobody can read', async () => {
      await store.keep([{ deviceId: 'a', key: 'key', keptAtMs: 7, body: 'of another version' }])
      await restart()
      await untilEmpty()
      expect(stores.quarantined).toMatchObject([{ deviceId: 'a', receivedAtMs: 7, raw: 'of another version' }])
    })
  })

  describe('a device that could not be looked up', () => {
    const unadmitted = { address: '192.0.2.7' }

    it('is kept, waits until it can be, and is stored if it is let in, else dropped and counted', async () => {
      const asked: string[] = []
      let isAway = true
      spool.onAdmission(async (deviceId, address) => {
        if (isAway) throw AWAY
        asked.push(`${deviceId} from ${address}`)
        return deviceId === 'known'
      })
      for (const device of ['known', 'stranger'])
        for (let n = 1; n <= 3; n++) expect(await spool.settleOrKeep(message(device, n), unadmitted)).toBe('kept')
      await sleep(400)
      expect([await waits(), stores.settled]).toEqual([6, []])
      isAway = false
      await untilEmpty()
      expect(stores.settled).toEqual(['known 1', 'known 2', 'known 3'])
      expect(asked.filter((one) => one === 'known from 192.0.2.7').length).toBe(3)
      expect(asked.filter((one) => one === 'stranger from 192.0.2.7').length).toBe(1)
      expect(await valuesOf('milepost_refusals_total')).toEqual({ 'udp,login_refused': 3 })
      expect(await valuesOf('milepost_spool_drained_total')).toEqual({ stored: 3, refused: 3 })
    })

    it('waits as long as nobody can be asked', async () => {
      await spool.settleOrKeep(message('a', 1), unadmitted)
      await sleep(300)
      expect(await waits()).toBe(1)
    })

    it('holds up nobody else when too many of its address were refused, and is not asked about all the time', async () => {
      const asked: string[] = []
      spool.onAdmission(async (deviceId) => {
        asked.push(deviceId)
        throw new AppError('too_many_requests', 'too many', { retryAfterMs: 60_000 })
      })
      const strangers = Array.from({ length: 2500 }, (_, n) => `stranger ${n}`)
      await Promise.all(strangers.map((stranger) => spool.settleOrKeep(message(stranger, 1), unadmitted)))
      stores.goAway()
      expect(await settleOrKeep('known', 1)).toBe('kept')
      stores.comeBack()
      // Until it is removed what comes goes behind it.
      for (let tries = 0; store.state().entries > 2500 && tries < 1000; tries++) await sleep(10)
      expect(stores.settled).toEqual(['known 1'])
      expect(await settleOrKeep('known', 2)).toBe('stored')
      expect([store.state().entries, asked.length]).toEqual([2500, 2500])
    }, 30_000)

    it('does not take the room of those who are known', async () => {
      const keep = jest.spyOn(store, 'keep').mockImplementation(async (entries) => entries.map((_, index) => index + 1))
      for (let n = 0; n < 10_000; n++) await spool.settleOrKeep(message(`stranger ${n}`, 1), unadmitted)
      await expect(spool.settleOrKeep(message('one more', 1), unadmitted)).rejects.toMatchObject({ code: 'overloaded' })
      stores.goAway()
      expect(await settleOrKeep('a', 1)).toBe('kept')
      expect(keep).toHaveBeenCalledTimes(10_001)
      keep.mockRestore()
    }, 30_000)
  })

  describe('erasing a device', () => {
    it('takes what waits of it, also from under the drain, and nothing else', async () => {
      stores.goAway()
      for (let n = 1; n <= 20; n++) await Promise.all([settleOrKeep('a', n), settleOrKeep('b', n)])
      let mayGoOn: () => void = () => undefined
      const gate = new Promise<void>((resolve) => {
        mayGoOn = resolve
      })
      stores.fault = () => gate
      await sleep(600)
      const erased = spool.eraseDevice('a')
      await sleep(20)
      mayGoOn()
      await erased
      const ofA = stores.settled.filter((name) => name.startsWith('a')).length
      expect(ofA).toBeLessThanOrEqual(1)
      await untilEmpty()
      expect(stores.settled.filter((name) => name.startsWith('b')).length).toBe(20)
      expect(stores.settled.filter((name) => name.startsWith('a')).length).toBe(ofA)
      expect(await settleOrKeep('a', 21)).toBe('stored')
    })

    it('waits for what the stores may take all the same after it was kept', async () => {
      let takeSecond: () => void = () => undefined
      stores.fault = ({ records }) => {
        if (records[0]?.position?.discriminator === 1) throw AWAY
        return new Promise((resolve) => {
          takeSecond = resolve
        })
      }
      // The second is kept with the first, and the drain stops at the first.
      expect(await Promise.all([settleOrKeep('a', 1), settleOrKeep('a', 2)])).toEqual(['kept', 'kept'])
      let isErased = false
      const erased = spool.eraseDevice('a').then(() => {
        isErased = true
      })
      await sleep(200)
      expect(isErased).toBe(false)
      takeSecond()
      await erased
      expect([stores.settled, await waits()]).toEqual([['a 2'], 0])
    })

    it('waits for what is on its way into the spool', async () => {
      stores.fault = () => sleep(2000, undefined, { ref: false })
      const said = settleOrKeep('a', 1)
      await sleep(20)
      await spool.eraseDevice('a')
      expect(await said).toBe('kept')
      expect(await waits()).toBe(0)
    })
  })

  it('keeps what comes while it stops, and hands nothing on any more', async () => {
    stores.goAway()
    await settleOrKeep('a', 1)
    const stopped = spool.stop()
    stores.comeBack()
    expect(await settleOrKeep('b', 1)).toBe('kept')
    await stopped
    await sleep(600)
    expect([stores.settled, await waits()]).toEqual([[], 2])
  })

  it('tells how much waits and since when, and that it can keep nothing', async () => {
    expect(await spool.checkHealth()).toBeUndefined()
    expect(await valuesOf('milepost_spool_entries')).toEqual({ '': 0 })
    expect(await valuesOf('milepost_spool_oldest_seconds')).toEqual({ '': 0 })
    stores.goAway()
    const saidAtMs = Date.now()
    await settleOrKeep('a', 1)
    const keptAtMs = Date.now()
    await settleOrKeep('b', 1)
    await sleep(1100)
    const leastS = secondsSince(keptAtMs)
    const told = await spool.checkHealth()
    const mostS = secondsSince(saidAtMs)
    expect(told).toMatch(/^2 messages wait for their store, the oldest for \d+ s$/)
    const toldS = Number(told?.match(/(\d+) s$/)?.[1])
    expect(toldS).toBeGreaterThanOrEqual(leastS)
    expect(toldS).toBeLessThanOrEqual(mostS)
    expect(await valuesOf('milepost_spool_entries')).toEqual({ '': 2 })
    expect(await valuesOf('milepost_spool_bytes')).toEqual({ '': store.state().bytes })
    expect((await valuesOf('milepost_spool_oldest_seconds'))['']).toBeGreaterThan(1)
    await store.close()
    await expect(spool.checkHealth()).rejects.toMatchObject({ code: 'store_unavailable' })
  })
})

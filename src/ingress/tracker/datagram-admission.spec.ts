import { setTimeout as sleep } from 'node:timers/promises'
import type { DeviceIdentity } from '../../identity/device-directory.js'
import { AppError } from '../../model/app-error.js'
import { DatagramAdmission } from './datagram-admission.js'

const IMEI = '356307042441013'
const DEVICE = {
  deviceId: IMEI,
  kind: 'imei',
  status: 'active',
  secretHash: null,
  trackerAllowed: false,
  trackerSack: true,
  generation: 'g1',
  brand: null,
  model: 'FMB920',
  protocol: null,
  commandPassword: null,
} satisfies DeviceIdentity

class Door {
  readonly remembered = new Map<string, DeviceIdentity>()
  readonly asked: string[] = []
  answer: () => Promise<DeviceIdentity | undefined> = async () => undefined
  inside = 0
  mostInside = 0

  recall(imei: string): DeviceIdentity | undefined {
    return this.remembered.get(imei)
  }

  async admitUnanswered(imei: string, address: string): Promise<DeviceIdentity | undefined> {
    this.asked.push(`${imei} ${address}`)
    this.inside += 1
    this.mostInside = Math.max(this.mostInside, this.inside)
    try {
      return await this.answer()
    } finally {
      this.inside -= 1
    }
  }
}

describe('admission of who sends datagrams', () => {
  let door: Door
  let admission: DatagramAdmission

  let nowMs: number

  beforeEach(() => {
    nowMs = 0
    door = new Door()
    admission = new DatagramAdmission(
      door,
      (imei) => imei !== 'no imei',
      () => nowMs,
    )
  })

  afterEach(() => admission.stop())

  it('asks nobody about who is known', async () => {
    door.remembered.set(IMEI, DEVICE)
    const sender = await admission.admit(IMEI, '192.0.2.7')
    expect(sender.is === 'known' && [sender.device.deviceId, sender.device.model, sender.device.sack]).toEqual([
      IMEI,
      'FMB920',
      true,
    ])
    expect(door.asked).toEqual([])
  })

  it('asks about who is not, and remembers for some seconds whom it refused, unless he is let in meanwhile', async () => {
    expect(await admission.admit(IMEI, '192.0.2.7')).toEqual({ is: 'refused' })
    expect(await admission.admit(IMEI, '192.0.2.8')).toEqual({ is: 'refused' })
    expect(door.asked).toEqual([`${IMEI} 192.0.2.7`])
    door.remembered.set(IMEI, DEVICE)
    expect((await admission.admit(IMEI, '192.0.2.7')).is).toBe('known')
  })

  it('asks nobody about what is no IMEI', async () => {
    expect(await admission.admit('no imei', '192.0.2.7')).toEqual({ is: 'refused' })
    expect(door.asked).toEqual([])
  })

  it('tells that nobody could be asked, also of who comes soon after, and then asks again', async () => {
    door.answer = async () => {
      throw new AppError('store_unavailable')
    }
    expect(await admission.admit(IMEI, '192.0.2.7')).toEqual({ is: 'unasked' })
    door.answer = async () => DEVICE
    nowMs += 1499
    expect(await admission.admit(IMEI, '192.0.2.7')).toEqual({ is: 'unasked' })
    expect(door.asked.length).toBe(1)
    nowMs += 1
    expect((await admission.admit(IMEI, '192.0.2.7')).is).toBe('known')
    expect((await admission.admit(IMEI, '192.0.2.7')).is).toBe('known')
  })

  it('waits a second for who does not answer, and then lets only one wait at a time, whoever was in line', async () => {
    door.answer = () => sleep(2000, DEVICE)
    const admit = (n: number) => admission.admit(String(100_000_000_000_000 + n), '192.0.2.7').then(({ is }) => is)
    const startedMs = performance.now()
    const all = await Promise.all(Array.from({ length: 400 }, (_, n) => admit(n)))
    expect(new Set(all)).toEqual(new Set(['unasked']))
    expect(door.asked.length).toBe(8)
    expect(performance.now() - startedMs).toBeLessThan(1900)
    nowMs += 1500
    expect(await Promise.all([admit(400), admit(401), admit(402)])).toEqual(['unasked', 'unasked', 'unasked'])
    expect(door.asked.length).toBe(9)
  })

  it('takes a refusal for an answer: who knows is there', async () => {
    door.answer = async () => {
      throw new AppError('store_unavailable')
    }
    expect(await admission.admit(IMEI, '192.0.2.7')).toEqual({ is: 'unasked' })
    nowMs += 1500
    door.answer = async () => {
      throw new AppError('too_many_requests')
    }
    await expect(admission.admit('356307042441021', '192.0.2.9')).rejects.toMatchObject({ code: 'too_many_requests' })
    door.answer = async () => DEVICE
    expect((await admission.admit(IMEI, '192.0.2.7')).is).toBe('known')
  })

  it('does not take who is back for away because of what fails late', async () => {
    let fail: (error: AppError) => void = () => undefined
    door.answer = () =>
      new Promise((_, reject) => {
        fail = reject
      })
    expect(await admission.admit(IMEI, '192.0.2.7')).toEqual({ is: 'unasked' })
    nowMs += 1500
    door.answer = async () => DEVICE
    expect((await admission.admit(IMEI, '192.0.2.7')).is).toBe('known')
    fail(new AppError('store_unavailable'))
    await sleep(1)
    expect((await admission.admit('356307042441021', '192.0.2.7')).is).toBe('known')
  })

  it('believes who answers late all the same', async () => {
    door.answer = () => sleep(1200, DEVICE)
    expect(await admission.admit(IMEI, '192.0.2.7')).toEqual({ is: 'unasked' })
    await sleep(300)
    door.answer = async () => DEVICE
    expect((await admission.admit(IMEI, '192.0.2.7')).is).toBe('known')
  })

  it('refuses whose address was refused too often, and not who comes from another one', async () => {
    door.answer = async () => {
      throw new AppError('too_many_requests')
    }
    await expect(admission.admit(IMEI, '192.0.2.7')).rejects.toMatchObject({ code: 'too_many_requests' })
    expect(await admission.admit(IMEI, '192.0.2.7')).toEqual({ is: 'refused' })
    expect(door.asked.length).toBe(1)
    door.answer = async () => DEVICE
    expect((await admission.admit(IMEI, '192.0.2.8')).is).toBe('known')
  })

  it('asks about a few at a time, however many come, and drops whom nobody can wait for', async () => {
    door.answer = () => sleep(1, undefined)
    const outcomeOf = (n: number) =>
      admission.admit(String(100_000_000_000_000 + n), '192.0.2.7').then(
        ({ is }) => is,
        (error: unknown) => (error instanceof AppError ? error.code : String(error)),
      )
    const outcomes = await Promise.all(Array.from({ length: 1200 }, (_, n) => outcomeOf(n)))
    expect(door.mostInside).toBe(8)
    expect(door.asked.length).toBe(1024 + 8)
    expect(outcomes.filter((outcome) => outcome === 'overloaded').length).toBe(1200 - 1024 - 8)
  })

  it('lets nobody wait any more when the server stops, and nobody be lost', async () => {
    let answer: (device: DeviceIdentity | undefined) => void = () => undefined
    const answered = new Promise<DeviceIdentity | undefined>((resolve) => {
      answer = resolve
    })
    door.answer = () => answered
    const all = Array.from({ length: 12 }, (_, n) => admission.admit(String(100_000_000_000_000 + n), '192.0.2.7'))
    admission.stop()
    expect(await Promise.all(all.slice(8))).toEqual(Array.from({ length: 4 }, () => ({ is: 'unasked' })))
    answer(DEVICE)
    expect((await Promise.all(all.slice(0, 8))).map(({ is }) => is)).toEqual(Array.from({ length: 8 }, () => 'known'))
  })
})

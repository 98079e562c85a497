import { testImei } from '../test/support/api.js'
import type { AlarmFleet } from './alarm-fleet.js'
import type { Milepost } from './milepost.js'

interface Item {
  readonly type: string
  readonly time: string
  readonly latitude: number
  readonly longitude: number
  readonly speed: number
  readonly attributes: unknown
  readonly files: ReadonlyArray<{ readonly fileName: string }>
}

const ALARMS = '/api/v1/alarms'

/**
 * Asks the server by REST what it has: the number of alarms of every unit, and all of one, field by field. To be called when
 * everything that was sent has been acknowledged.
 * @returns how many alarms are stored
 * @throws Error naming the first difference
 */
export async function verifyAlarms(server: Milepost, fleet: AlarmFleet): Promise<number> {
  const admin = await server.loginAdmin()
  const path = `${ALARMS}/summary?by=device`
  const { body, status, text } = await server.api.get<{ items: { key: string; count: number }[] }>(path, admin)
  if (status !== 200) throw new Error(`the summary answered ${status} ${text}`)
  const counts = new Map(body.items.map(({ key, count }) => [key, count]))
  let stored = 0
  fleet.sent.forEach((sent, unit) => {
    const count = counts.get(testImei(unit)) ?? 0
    if (count !== sent) throw new Error(`unit ${unit}: ${sent} alarms were acknowledged, ${count} are stored`)
    stored += count
  })
  await verifyUnit(server, fleet, fleet.units - 1, admin)
  return stored
}

async function verifyUnit(server: Milepost, fleet: AlarmFleet, unit: number, admin: string): Promise<void> {
  const items = await server.api.all<Item>(`${ALARMS}?deviceId=${testImei(unit)}&sort=time&limit=500`, admin)
  if (items.length !== fleet.sent[unit]) throw new Error(`the list has ${items.length} alarms`)
  items.forEach(({ type, time, latitude, longitude, speed, attributes, files }, n) => {
    const names = files.map(({ fileName }) => fileName)
    const stored = JSON.stringify([time, names, type, latitude, longitude, speed, attributes])
    const sent = fleet.alarmOf(unit, n)
    const wanted = [sent.time, sent.files, sent.type, sent.latitude, sent.longitude, sent.speed, sent.attributes]
    if (stored !== JSON.stringify(wanted)) throw new Error(`alarm ${n} is ${stored}, sent was ${JSON.stringify(sent)}`)
  })
}

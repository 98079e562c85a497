import { testImei } from '../test/support/api.js'
import type { Fleet } from './fleet.js'
import type { Milepost } from './milepost.js'

interface Fix {
  readonly time: string
  readonly latitude: number
  readonly longitude: number
}

const PAGE = 500
const FROM = '1970-01-01T00:00:00Z'

/**
 * Asks the server by REST what it has, so that a fast wrong answer cannot pass: the number of positions of every unit, and
 * the whole track of one, fix by fix. To be called when everything that was sent has been acknowledged.
 * @returns how many positions are stored
 * @throws Error naming the first difference
 */
export async function verifyStored(server: Milepost, fleet: Fleet): Promise<number> {
  const admin = await server.loginAdmin()
  let stored = 0
  for (let unit = 0; unit < fleet.units; unit++) {
    const sent = fleet.sent[unit] ?? 0
    const path = `/api/v1/devices/${testImei(unit)}/odometer?from=${FROM}`
    const { status, text, body } = await server.api.get<{ points: number }>(path, admin)
    if (status !== 200) throw new Error(`unit ${unit}: the odometer answered ${status} ${text}`)
    const { points } = body
    if (points !== sent) throw new Error(`unit ${unit}: ${sent} positions were acknowledged, ${points} are stored`)
    stored += points
  }
  await verifyTrack(server, fleet, admin)
  return stored
}

async function verifyTrack(server: Milepost, fleet: Fleet, admin: string): Promise<void> {
  const unit = fleet.units - 1
  const fixes = await server.api.all<Fix>(`/api/v1/devices/${testImei(unit)}/track?from=${FROM}&limit=${PAGE}`, admin)
  if (fixes.length !== fleet.sent[unit]) throw new Error(`the track has ${fixes.length} fixes`)
  fixes.forEach(({ time, latitude, longitude }, n) => {
    const sent = fleet.positionOf(unit, n)
    if (time === sent.time && latitude === sent.latitude && longitude === sent.longitude) return
    throw new Error(`fix ${n} of the track is ${time} ${latitude} ${longitude}, sent was ${JSON.stringify(sent)}`)
  })
}

import { Sessions } from '../src/sessions/sessions.js'
import { PositionStore } from '../src/storage/positions/position-store.js'
import { type RunningApp, startApp } from './support/app.js'
import { DEVICES, DeviceCalls, type DeviceItem } from './support/device-calls.js'
import { makePosition } from './support/positions.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'

const FLEET = ['list-A', 'list-a', 'list-b', 'list-B', 'list-c']
const MUNICH = 'bbox=11.3,48.0,11.8,48.3'

describe('the list of devices', () => {
  let running: RunningApp
  let devices: DeviceCalls

  beforeAll(async () => {
    running = await startApp({})
    devices = new DeviceCalls(running, 720000)
    for (const deviceId of FLEET) await devices.call('POST', '', { deviceId, name: `Lister ${deviceId.slice(5)}` })
    await devices.call('PATCH', '/list-c', { status: 'disabled' })
    const near = ['list-A', 'list-a', 'list-c'].map((deviceId) => makePosition({ deviceId }))
    const far = ['list-B', 'list-b'].map((deviceId) => makePosition({ deviceId, longitude: 14 }))
    await devices.get(PositionStore).append([...near, ...far])
    for (const deviceId of ['list-A', 'list-B']) devices.get(Sessions).heardWithoutLink(deviceId, 'http')
  })

  afterAll(async () => {
    await running.close()
    await removeTemporaryDirectories()
  })

  it('goes by id, byte by byte, page after page', async () => {
    expect(await devices.idsOf('text=lister&limit=2')).toEqual(['list-A', 'list-B', 'list-a', 'list-b', 'list-c'])
  })

  it.each([
    ['online=true', ['list-A', 'list-B']],
    ['online=false', ['list-a', 'list-b', 'list-c']],
    [MUNICH, ['list-A', 'list-a', 'list-c']],
    [`${MUNICH}&online=true`, ['list-A']],
    [`${MUNICH}&online=false&status=active`, ['list-a']],
    ['status=disabled', ['list-c']],
    ['status=disabled,active&kind=named', ['list-A', 'list-B', 'list-a', 'list-b', 'list-c']],
    ['status=disabled&status=active&kind=imei', []],
    ['bbox=13,48,-170,49', ['list-B', 'list-b']],
  ])('filters by %s', async (query, expected) => {
    expect(await devices.idsOf(`text=LISTER&limit=1&${query}`)).toEqual(expected)
  })

  it('shows presence and the latest position', async () => {
    const { items } = (await devices.call<{ items: DeviceItem[] }>('GET', '?text=lister&online=true')).body
    expect(items[0]).toMatchObject({
      deviceId: 'list-A',
      online: true,
      transport: 'http',
      lastSeenAt: expect.any(String),
      position: { time: '2026-11-22T07:30:00.000Z', longitude: 11.5643883, hasFix: true },
    })
  })

  it('shows every device once while others are added', async () => {
    const first = (await devices.call<{ items: DeviceItem[]; nextCursor: string }>('GET', '?text=lister&limit=3')).body
    await devices.call('POST', '', { deviceId: 'list-0', name: 'Lister 0' })
    await devices.call('POST', '', { deviceId: 'list-aa', name: 'Lister aa' })
    const path = `?text=lister&limit=3&cursor=${first.nextCursor}`
    const second = (await devices.call<{ items: DeviceItem[]; nextCursor: string }>('GET', path)).body
    expect([...first.items, ...second.items].map(({ deviceId }) => deviceId)).toEqual([
      ...['list-A', 'list-B', 'list-a'],
      ...['list-aa', 'list-b', 'list-c'],
    ])
    expect(second.nextCursor).toBeNull()
  })

  it.each([
    ['limit=0', 'invalid_request'],
    ['limit=501', 'invalid_request'],
    ['online=maybe', 'invalid_request'],
    ['status=retired', 'invalid_request'],
    ['kind=truck', 'invalid_request'],
    ['bbox=1,2,3', 'invalid_request'],
    ['bbox=1,49,2,48', 'invalid_request'],
    ['colour=red', 'unknown_parameter'],
    ['cursor=nonsense', 'invalid_cursor'],
  ])('refuses ?%s with 400 %s', async (query, code) => {
    const { status, body } = await devices.call('GET', `?${query}`)
    expect([status, body.code]).toEqual([400, code])
  })

  it('knows over a restart when a device was last heard', async () => {
    const DATA_DIR = temporaryDirectory()
    const before = await startApp({ DATA_DIR })
    const deviceId = devices.newImei()
    await before.api.post(DEVICES, { deviceId }, before.admin)
    const position = { time: new Date().toISOString(), latitude: 48.1, longitude: 11.5 }
    await before.api.post('/api/v1/locations', position, await before.api.loginDevice(deviceId))
    const shown = (await before.api.get<DeviceItem>(`${DEVICES}/${deviceId}`, before.admin)).body
    expect(shown).toMatchObject({ online: true, transport: 'http' })
    await before.close()
    const after = await startApp({ DATA_DIR })
    try {
      const again = (await after.api.get<DeviceItem>(`${DEVICES}/${deviceId}`, after.admin)).body
      expect(again).toEqual({ ...shown, online: false, transport: null })
    } finally {
      await after.close()
    }
  })
})

import { testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { removeTemporaryDirectories } from './support/temporary-directory.js'

const IMEI = testImei(1)
const ATTRIBUTES = '{"a":1,"__proto__":2,"constructor":"x"}'
const API = '/api/v1'

let running: RunningApp

beforeAll(async () => {
  running = await startApp({ DEVICE_ENROLMENT: 'open', RETENTION_DAYS: '0' })
})
afterAll(async () => {
  await running.close()
  await removeTemporaryDirectories()
})

describe('keys that have a meaning in JavaScript', () => {
  it('are attributes like any other to units', async () => {
    const { api, admin } = running
    const token = await api.loginDevice(IMEI)
    const headers = { 'content-type': 'application/json' }
    const time = '2026-11-22T07:30:00.000Z'
    const position = `{"time":"${time}","latitude":48.1,"longitude":11.5,"attributes":${ATTRIBUTES}}`
    const stored = await api.request('POST', `${API}/locations`, { token, headers, text: position })
    expect([stored.status, stored.body]).toEqual([200, { accepted: 1, duplicates: 0, rejected: [] }])
    const alarm = `{"type":"SOS","time":"${time}","attributes":${ATTRIBUTES},"__proto__":{"type":"CRASH"}}`
    const raised = await api.request('POST', `${API}/alarms`, { token, headers, text: alarm })
    expect([raised.status, raised.body.type]).toEqual([201, 'SOS'])
    const track = await api.get(`${API}/devices/${IMEI}/track`, admin)
    const alarms = await api.get(`${API}/alarms`, admin)
    for (const { text } of [track, alarms, raised]) expect(text).toContain(`"attributes":${ATTRIBUTES}`)
  })

  it.each([
    ['POST', '/devices', '{"deviceId":"gate-1","__proto__":{"status":"disabled"}}', '__proto__'],
    ['POST', '/devices', '{"deviceId":"gate-1","constructor":{"prototype":{}}}', 'constructor'],
    ['POST', `/devices/${IMEI}/commands`, '{"type":"RESET","params":{"__proto__":{}}}', 'params.__proto__'],
    ['PATCH', `/devices/${IMEI}`, '{"__proto__":{"name":"x"}}', '__proto__'],
  ])('are not known to the user call %s %s with %s', async (method, path, text, named) => {
    const headers = { 'content-type': 'application/json' }
    const { status, body } = await running.api.request(method, `${API}${path}`, { token: running.admin, headers, text })
    const errors = [{ path: named, code: 'unknown_field', message: 'is not known here' }]
    expect([status, body.code, body.errors]).toEqual([400, 'invalid_request', errors])
  })
})

import { MemoryDeviceRecords, makeDevice } from '../../test/support/memory-device-records.js'
import { DeviceDirectory } from '../identity/device-directory.js'
import type { CommandType } from '../model/command.js'
import type { DeviceRecord } from '../storage/sql/device-records.js'
import { type CommandQuestion, CommandSupport } from './command-support.js'
import { CommandTargets } from './command-targets.js'

const IMEI = '356307042441013'

function build(device?: Partial<DeviceRecord>) {
  const asked: Array<[string, CommandQuestion]> = []
  const support = new CommandSupport()
  support.onAsk(() => undefined)
  support.onAsk((protocol, question) => {
    asked.push([protocol, question])
    return question.type === 'REQUEST_VIDEO' ? 'it has no camera' : undefined
  })
  const records = new MemoryDeviceRecords(device === undefined ? [] : [makeDevice({ deviceId: IMEI, ...device })])
  const targets = new CommandTargets(new DeviceDirectory(records), support)
  const check = (type: CommandType) => targets.check(IMEI, type, { a: 1 })
  return { targets, check, asked }
}

describe('devices that commands are for', () => {
  it('are there, and not disabled', async () => {
    expect(await build().targets.isThere(IMEI)).toBe(false)
    expect(await build({}).targets.isThere(IMEI)).toBe(true)
    await expect(build().check('RESET')).rejects.toMatchObject({ code: 'not_found' })
    await expect(build({ status: 'disabled', protocol: 'teltonika' }).check('REQUEST_VIDEO')).rejects.toMatchObject({
      code: 'device_disabled',
    })
  })

  it('get only what their protocol has, in its words', async () => {
    const { check, asked } = build({ protocol: 'teltonika', model: 'FMB120', commandPassword: 'sesame' })
    await expect(check('REQUEST_VIDEO')).rejects.toMatchObject({
      code: 'unsupported_command',
      status: 422,
      message: 'it has no camera',
    })
    await check('RESET')
    const question = { params: { a: 1 }, deviceId: IMEI, model: 'FMB120', commandPassword: 'sesame' }
    expect(asked).toEqual([
      ['teltonika', { ...question, type: 'REQUEST_VIDEO' }],
      ['teltonika', { ...question, type: 'RESET' }],
    ])
  })

  it('get anything while their protocol is not known, or is that of units that speak JSON', async () => {
    const { check, asked } = build({ protocol: null })
    await check('REQUEST_VIDEO')
    expect(asked).toEqual([])
  })
})

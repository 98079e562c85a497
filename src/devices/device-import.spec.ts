import { MemoryDeviceRecords, makeDevice } from '../../test/support/memory-device-records.js'
import { parseConfig } from '../config/app-config.js'
import { type AuditFact, AuditLog } from '../identity/audit-log.js'
import { DeviceDirectory } from '../identity/device-directory.js'
import { hashDeviceSecret } from '../identity/device-secrets.js'
import { ErasingDevices } from '../identity/erasing-devices.js'
import { Metrics } from '../metrics/metrics.js'
import { AppError } from '../model/app-error.js'
import { Sessions } from '../sessions/sessions.js'
import type { DeviceRecord } from '../storage/sql/device-records.js'
import type { SqlStore } from '../storage/sql/sql-store.js'
import { DeviceImport, MAX_IMPORT_LINES } from './device-import.js'
import { DeviceRegistry } from './device-registry.js'

const ACTOR = { by: 'admin', address: '192.0.2.1' }
const IMEI = '350123451234567'
const SECRET = 'a secret of 20 chars'

function build(...devices: DeviceRecord[]) {
  const records = new MemoryDeviceRecords(devices)
  const erasing = new ErasingDevices()
  const registry = new DeviceRegistry(
    records,
    new DeviceDirectory(records),
    new Sessions(new Metrics()),
    parseConfig({}),
    erasing,
  )
  const facts: AuditFact[] = []
  const entries = { append: async (fact: AuditFact) => void facts.push(fact) }
  const joined = { devices: records, audit: entries } as never
  const audit = new AuditLog(entries as never, { together: (work) => work(joined) } as SqlStore)
  const importer = new DeviceImport(registry, audit, erasing)
  return { records, facts, erasing, run: (text: string) => importer.run(text, ACTOR) }
}

describe('DeviceImport', () => {
  it('refuses a line whose device is being erased, takes the others, and the same one afterwards', async () => {
    const { run, records, erasing } = build()
    const text = `deviceId\n${IMEI}\n350123451234575`
    await erasing.begin(IMEI)
    expect(await run(text)).toEqual({
      created: 1,
      updated: 0,
      rejected: [{ line: 2, code: 'overloaded', message: 'What a device of this id left is being erased' }],
    })
    expect(await records.find(IMEI)).toBeUndefined()
    erasing.end(IMEI)
    expect(await run(text)).toEqual({ created: 1, updated: 1, rejected: [] })
  })

  it('ends when the database has too much to do', async () => {
    const { run, records } = build()
    records.failure = new AppError('overloaded')
    await expect(run(`deviceId\n${IMEI}`)).rejects.toMatchObject({ code: 'overloaded' })
  })

  it('adds and changes devices with columns in any order', async () => {
    const { run, records } = build(makeDevice({ deviceId: IMEI, name: 'old', plate: 'M-MP 7', brand: 'Acme' }))
    const text = `plate,deviceId,name\r\nM-MP 8,350123451234575,Truck 8\r\n,${IMEI}, Truck 7 \r\n`
    expect(await run(text)).toEqual({ created: 1, updated: 1, rejected: [] })
    expect(await records.find('350123451234575')).toMatchObject({ name: 'Truck 8', plate: 'M-MP 8', brand: null })
    expect(await records.find(IMEI)).toMatchObject({ name: 'Truck 7', plate: null, brand: 'Acme' })
  })

  it('names the line of the file that a bad record begins on, and takes all others', async () => {
    const { run, records } = build()
    const text = [
      'deviceId,name',
      'a,"two',
      'lines"',
      '350123451234561,wrong check digit',
      '350123451234567,"good, quoted"',
      '350123451234575,"never closed',
      '350123451234583,good',
      '350123451234591',
      '350123451234609,one,more',
      `350123451234617,${'x'.repeat(201)}`,
      '',
      '350123451234625,bell \u0007',
      '350123451234633,good',
    ].join('\n')
    expect(await run(text)).toEqual({
      created: 3,
      updated: 0,
      rejected: [
        { line: 2, code: 'secret_required', message: expect.stringContaining('must have a secret') },
        { line: 4, code: 'invalid_imei', message: expect.stringContaining('deviceId') },
        { line: 6, code: 'invalid_csv', message: 'a quote is not where CSV has one, or not closed' },
        { line: 8, code: 'invalid_csv', message: 'has 1 cells, the header row has 2' },
        { line: 9, code: 'invalid_csv', message: 'has 3 cells, the header row has 2' },
        { line: 10, code: 'invalid_field', message: expect.stringMatching(/^name: /) },
        { line: 12, code: 'invalid_field', message: 'name: must hold no control characters' },
      ],
    })
    expect((await records.list({ limit: 10 })).map(({ deviceId, name }) => [deviceId, name])).toEqual([
      ['350123451234567', 'good, quoted'],
      ['350123451234583', 'good'],
      ['350123451234633', 'good'],
    ])
  })

  it('takes secrets, and needs one for a new device without an IMEI', async () => {
    const { run, records } = build(makeDevice({ deviceId: 'old-box', secretHash: 'aa', generation: 'g1' }))
    const text = `deviceId,secret\nnew-box,${SECRET}\nold-box,\nbare-box,\nshort-box,too short\n${IMEI},${SECRET}`
    expect(await run(text)).toEqual({
      created: 2,
      updated: 1,
      rejected: [
        { line: 4, code: 'secret_required', message: expect.any(String) },
        { line: 5, code: 'invalid_field', message: expect.stringMatching(/^secret: /) },
      ],
    })
    expect((await records.find('new-box'))?.secretHash).toBe(hashDeviceSecret(SECRET))
    expect((await records.find(IMEI))?.secretHash).toBe(hashDeviceSecret(SECRET))
    expect(await records.find('old-box')).toMatchObject({ secretHash: 'aa', generation: 'g1' })
  })

  it('changes nothing more when it is repeated', async () => {
    const { run, records } = build()
    const text = `deviceId,name,secret\nbox-1,One,${SECRET}\n${IMEI},Two,\n`
    expect(await run(text)).toEqual({ created: 2, updated: 0, rejected: [] })
    const before = await records.list({ limit: 10 })
    expect(await run(text)).toEqual({ created: 0, updated: 2, rejected: [] })
    expect(await records.list({ limit: 10 })).toEqual(before)
  })

  it('takes lines in order when one device stands on several', async () => {
    const { run, records } = build()
    const text = `deviceId,name\n${IMEI},first\n${IMEI},second`
    expect(await run(text)).toEqual({ created: 1, updated: 1, rejected: [] })
    expect((await records.find(IMEI))?.name).toBe('second')
  })

  it.each([
    ['', 'Line 1 must be a header row'],
    ['\ndeviceId\na', 'Line 1 must be a header row'],
    ['"deviceId\na', 'Line 1 must be a header row'],
    ['deviceId,colour\na,red', 'Unknown columns: colour'],
    ['deviceId;name\na;b', 'Unknown columns: deviceId;name'],
    ['DeviceId\na', 'Unknown columns: DeviceId'],
    ['deviceId,', 'Unknown columns: '],
    ['deviceId,name,name\na,b,c', 'A column is named twice'],
    ['name\nb', 'The column deviceId is missing'],
  ])('refuses the whole file with header %p', async (text, message) => {
    const { run, records } = build()
    await expect(run(text)).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining(message),
    })
    expect(records.calls).toEqual([])
  })

  it('refuses a file of too many lines before it changes anything', async () => {
    const { run, records } = build()
    await expect(run(`deviceId\n${'a\n'.repeat(MAX_IMPORT_LINES + 1)}`)).rejects.toMatchObject({
      code: 'invalid_request',
    })
    expect(records.calls).toEqual([])
    expect(await run('deviceId\n')).toEqual({ created: 0, updated: 0, rejected: [] })
  })

  it('writes down what it did to each device with the change, and no secret', async () => {
    const { run, facts } = build(makeDevice({ deviceId: 'box-0', secretHash: 'aa', name: 'Box' }))
    await run(`deviceId,secret,name\nbox-0,${SECRET},Box\nbox-1,${SECRET},One\n${IMEI},,\nbad id,,`)
    await run(`deviceId,name\nbox-0,Box\nbox-1,1`)
    expect(facts.map(({ by, action, target, detail, address }) => [by, action, target, detail, address])).toEqual([
      ['admin', 'device.import', 'box-0', { did: 'updated', fields: ['secret'] }, '192.0.2.1'],
      ['admin', 'device.import', 'box-1', { did: 'created', hasSecret: true }, '192.0.2.1'],
      ['admin', 'device.import', IMEI, { did: 'created', hasSecret: false }, '192.0.2.1'],
      ['admin', 'device.import', 'box-1', { did: 'updated', fields: ['name'] }, '192.0.2.1'],
    ])
    expect(JSON.stringify(facts)).not.toContain(SECRET)
  })

  it('keeps what was done, and its entries, when the store fails half-way', async () => {
    const { run, facts, records } = build()
    const insert = records.insert.bind(records)
    jest.spyOn(records, 'insert').mockImplementation(async (record) => {
      if (record.deviceId === '350123451234575') throw new Error('database is away')
      return insert(record)
    })
    await expect(run(`deviceId\n${IMEI}\n350123451234575\n350123451234583`)).rejects.toThrow('database is away')
    expect(facts.map(({ target, detail }) => [target, detail])).toEqual([[IMEI, { did: 'created', hasSecret: false }]])
  })
})

import { Logger } from '@nestjs/common'
import { openTestRecords, type TestRecords } from '../../test/support/test-records.js'
import { AppError } from '../model/app-error.js'
import { AuditLog } from './audit-log.js'

describe('AuditLog', () => {
  let records: TestRecords

  beforeEach(async () => {
    records = await openTestRecords()
  })

  afterEach(async () => {
    jest.restoreAllMocks()
    await records.close()
  })

  it('writes a fact down', async () => {
    jest.spyOn(Date, 'now').mockReturnValue(1_700_000_000_123)
    const log = new AuditLog(records.audit, records.store)
    await log.record({ by: 'anna', action: 'device.create', target: 'box-7', detail: { name: 'Box' }, address: '::1' })
    await log.record({ by: 'system', action: 'user.create' })
    const entries = await records.audit.list({ limit: 5 })
    expect(entries.map(({ id: _, ...entry }) => entry)).toEqual(
      expect.arrayContaining([
        {
          atMs: 1_700_000_000_123,
          by: 'anna',
          action: 'device.create',
          target: 'box-7',
          detail: { name: 'Box' },
          address: '::1',
        },
        { atMs: 1_700_000_000_123, by: 'system', action: 'user.create', target: null, detail: null, address: null },
      ]),
    )
  })

  it('logs a fact whole as an error when the store does not take it, and does not throw', async () => {
    jest.spyOn(records.audit, 'append').mockRejectedValue(new AppError('store_unavailable', 'the disk is gone'))
    const error = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined)
    await new AuditLog(records.audit, records.store).record({ by: 'anna', action: 'device.delete', target: 'box-7' })
    expect(error).toHaveBeenCalledWith({
      event: 'audit_write_failed',
      reason: 'the disk is gone',
      entry: expect.objectContaining({ by: 'anna', action: 'device.delete', target: 'box-7' }),
    })
  })
})

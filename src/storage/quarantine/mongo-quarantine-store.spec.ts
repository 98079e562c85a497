import { Logger } from '@nestjs/common'
import { describeOn } from '../../../test/stores/describe-on.js'
import { makeMongoDatabase } from '../../../test/stores/test-servers.js'
import { openMongoConnection } from '../mongo-connection.js'
import { openMongoQuarantine } from './mongo-quarantine-store.js'
import { quarantineStoreContract } from './quarantine-store.contract.js'
import { QuarantineStore } from './quarantine-store.js'

const MOST = QuarantineStore.RECORDS_PER_DEVICE

describeOn('MONGO_URL', 'quarantine in MongoDB', () => {
  quarantineStoreContract('mongo', async () => {
    const made = await makeMongoDatabase()
    const url = made.variables.MONGO_URL ?? ''
    return { open: async () => openMongoQuarantine(await openMongoConnection({ url })), remove: () => made.remove() }
  })

  it('has kept what it could not count afterwards, and counts it with the next record of the device', async () => {
    const made = await makeMongoDatabase()
    const connection = await openMongoConnection({ url: made.variables.MONGO_URL ?? '' })
    const store = await openMongoQuarantine(connection)
    const told = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined)
    const counting = jest.spyOn(connection.connection.model('Quarantined'), 'countDocuments')
    const records = (device: string, count: number) =>
      Array.from({ length: count }, (_, index) => ({
        deviceId: device,
        ingress: 'socket' as const,
        code: 'invalid_latitude',
        receivedAtMs: index,
        raw: '',
      }))
    const kept = async (device: string) => (await store.list({ deviceIds: [device], limit: 2000 })).length
    try {
      await store.keep(records('truck-2', 1))
      counting.mockImplementationOnce(() => {
        throw new Error('the answer was lost')
      })
      await store.keep([...records('truck-1', MOST + 1), ...records('truck-2', MOST)])
      expect([await kept('truck-1'), await kept('truck-2')]).toEqual([MOST + 1, MOST + 1])
      expect(told).toHaveBeenCalledWith({ event: 'quarantine_not_bounded', reason: expect.stringContaining('lost') })
      await store.keep([...records('truck-1', 1), ...records('truck-2', 1)])
      expect([await kept('truck-1'), await kept('truck-2')]).toEqual([MOST, MOST])
    } finally {
      jest.restoreAllMocks()
      await store.close()
      await made.remove()
    }
  })
})

import { describeOn } from '../../../test/stores/describe-on.js'
import { makeMongoDatabase } from '../../../test/stores/test-servers.js'
import { openMongoConnection } from '../mongo-connection.js'
import { openMongoQuarantine } from './mongo-quarantine-store.js'
import { quarantineStoreContract } from './quarantine-store.contract.js'

describeOn('MONGO_URL', 'quarantine in MongoDB', () => {
  quarantineStoreContract('mongo', async () => {
    const made = await makeMongoDatabase()
    const url = made.variables.MONGO_URL ?? ''
    return { open: async () => openMongoQuarantine(await openMongoConnection({ url })), remove: () => made.remove() }
  })
})

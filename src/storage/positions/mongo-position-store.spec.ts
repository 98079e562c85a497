import { describeOn } from '../../../test/stores/describe-on.js'
import { makeMongoDatabase } from '../../../test/stores/test-servers.js'
import { openMongoConnection } from '../mongo-connection.js'
import { mongoDifferences } from './mongo-differences.contract.js'
import { openMongoPositions } from './mongo-position-store.js'
import { positionStoreContract } from './position-store.contract.js'

const differences = mongoDifferences()

describeOn('MONGO_URL', 'positions in MongoDB', () => {
  const makePlace = async () => {
    const made = await makeMongoDatabase()
    const url = made.variables.MONGO_URL ?? ''
    return { open: async () => openMongoPositions(await openMongoConnection({ url })), remove: () => made.remove() }
  }

  positionStoreContract('mongo', makePlace, differences)
})

import { removeTemporaryDirectories, temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { positionStoreContract } from './position-store.contract.js'
import { openSqlitePositions } from './sqlite-position-store.js'

afterAll(removeTemporaryDirectories)

positionStoreContract('sqlite', async () => {
  const directory = temporaryDirectory()
  return { open: () => openSqlitePositions({ directory }), remove: async () => {} }
})

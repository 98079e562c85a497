import { SqliteDeviceStates } from '../../src/storage/positions/sqlite-device-states.js'

const find = SqliteDeviceStates.prototype.get

// In the midst of a transaction. (To terminate the thread from outside would not do: the driver ends the whole process then.)
SqliteDeviceStates.prototype.get = function (id) {
  if (id === 'deadly') process.exit(1)
  return find.call(this, id)
}

void import('../../src/storage/positions/sqlite-position-writer.js')

import path from 'node:path'
import Database from 'libsql'
import { temporaryDirectory } from '../test/support/temporary-directory.js'
import { countWalCommits } from './wal-commits.js'

describe('countWalCommits', () => {
  it('counts transactions, however many pages each has, also in a log that was begun anew', () => {
    const file = path.join(temporaryDirectory(), 'some.sqlite')
    const database = new Database(file)
    const count = () => countWalCommits(`${file}-wal`)
    try {
      database.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t(a TEXT)')
      const before = count()
      const insert = database.prepare('INSERT INTO t VALUES(?)')
      for (let n = 0; n < 5; n++) insert.run('x'.repeat(20_000))
      database.exec(`BEGIN; INSERT INTO t VALUES('a'); INSERT INTO t VALUES('b'); COMMIT; BEGIN; ROLLBACK`)
      const after = count()
      expect(after.commits - before.commits).toBe(6)
      expect(after.generation).toBe(before.generation)
      database.exec('PRAGMA wal_checkpoint(RESTART)')
      insert.run('c')
      expect(count().commits).toBe(1)
      expect(count().generation).not.toBe(after.generation)
    } finally {
      database.close()
    }
  })
})

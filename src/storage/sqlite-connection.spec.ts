import path from 'node:path'
import { removeTemporaryDirectories, temporaryDirectory } from '../../test/support/temporary-directory.js'
import {
  giveBackFreePages,
  openForReading,
  openForWriting,
  SqliteConnection,
  upgradeSchema,
} from './sqlite-connection.js'

describe('SQLite connections', () => {
  let file: string
  let connection: SqliteConnection

  beforeEach(() => {
    file = path.join(temporaryDirectory(), 'test.sqlite')
    connection = openForWriting({ file, cacheKiB: 1024, checkpointPages: 1000 })
    upgradeSchema(connection, ['CREATE TABLE things(id INTEGER PRIMARY KEY, name TEXT)'])
  })

  afterEach(() => connection.close())
  afterAll(removeTemporaryDirectories)

  const insert = (name: string) => connection.prepareWrite('INSERT INTO things(name) VALUES (?)').run([name])
  const names = () =>
    connection
      .prepareQuery('SELECT name FROM things ORDER BY id')
      .all()
      .map(([name]) => name)

  it('keeps nothing of a transaction that throws', () => {
    const failing = () =>
      connection.transact(() => {
        insert('gone')
        throw new Error('changed my mind')
      })
    expect(failing).toThrow('changed my mind')
    expect(connection.isInTransaction).toBe(false)
    connection.transact(() => insert('stays'))
    expect(names()).toEqual(['stays'])
  })

  it('can commit again after it met the lock of another connection', () => {
    const other = new SqliteConnection(file)
    other.exec('BEGIN IMMEDIATE')
    expect(() => connection.transact(() => insert('too early'))).toThrow('database is locked')
    other.exec('ROLLBACK')
    other.close()
    connection.transact(() => insert('in time'))
    expect(names()).toEqual(['in time'])
  }, 10_000)

  it('writes nothing through a connection for reading', () => {
    const reader = openForReading({ file, cacheKiB: 1024 })
    expect(() => reader.exec("INSERT INTO things(name) VALUES ('no')")).toThrow(/readonly/)
    reader.close()
    expect(names()).toEqual([])
  })

  it('takes a schema to its newest version, keeping the rows, and is content with it afterwards', () => {
    connection.transact(() => insert('old'))
    const steps = [
      'CREATE TABLE never(again)',
      'ALTER TABLE things ADD COLUMN color TEXT',
      "UPDATE things SET color = 'grey'",
    ]
    upgradeSchema(connection, steps)
    upgradeSchema(connection, steps)
    expect(connection.queryNumber('PRAGMA user_version')).toBe(3)
    expect(connection.prepareQuery('SELECT name, color FROM things').all()).toEqual([['old', 'grey']])
  })

  it('leaves the schema as it was when a step fails', () => {
    const steps = ['', 'ALTER TABLE things ADD COLUMN color TEXT', 'DROP TABLE missing']
    expect(() => upgradeSchema(connection, steps)).toThrow(/no such table: missing/)
    expect(connection.queryNumber('PRAGMA user_version')).toBe(1)
    expect(connection.prepareQuery('SELECT * FROM things').all()).toEqual([])
    connection.transact(() => insert('fine'))
    expect(names()).toEqual(['fine'])
  })

  it('gives pages back in steps while more than a quarter of the file is free', () => {
    connection.transact(() => {
      for (let row = 0; row < 100; row++) insert('x'.repeat(4000))
    })
    expect(giveBackFreePages(connection, 10)).toBe(false)
    connection.transact(() => connection.exec('DELETE FROM things'))
    const before = connection.queryNumber('PRAGMA page_count')
    let steps = 1
    while (giveBackFreePages(connection, 10)) steps++
    const after = connection.queryNumber('PRAGMA page_count')
    expect(before).toBeGreaterThan(100)
    expect(after).toBeLessThan(10)
    expect(steps).toBe(Math.ceil((before - after) / 10))
  })
})

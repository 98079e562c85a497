import { GatheredAttributes } from '../../model/gathered-attributes.js'
import type { Attributes } from '../../model/position.js'
import type { SqliteConnection, SqliteQuery, SqliteWrite } from '../sqlite-connection.js'

/** A record that is stored, by its key in the table, and what parts of it bring. */
export interface StoredRecord {
  readonly key: readonly [device: number, timeMs: number, discriminator: number]
  /** Attributes as JSON, in the order of arrival; undefined: none. */
  readonly parts: ReadonlyArray<string | undefined>
}

/** Adds what parts bring to records that are stored. Belongs into a transaction. */
export class SqlitePositionParts {
  private readonly find: SqliteQuery
  private readonly update: SqliteWrite

  constructor(connection: SqliteConnection) {
    this.find = connection.prepareQuery('SELECT attributes FROM positions WHERE device = ? AND time = ? AND disc = ?')
    this.update = connection.prepareWrite(
      'UPDATE positions SET attributes = ? WHERE device = ? AND time = ? AND disc = ?',
    )
  }

  /** @returns of each part whether it was taken; else the attributes would be too large */
  add({ key, parts }: StoredRecord): readonly boolean[] {
    const [text] = this.find.get(key) ?? []
    const gathered = new GatheredAttributes(parse(typeof text === 'string' ? text : undefined))
    const taken = parts.map((part) => gathered.add(parse(part)))
    if (gathered.isGrown) this.update.run([JSON.stringify(gathered.toAttributes()), ...key])
    return taken
  }
}

function parse(text: string | undefined): Attributes | null {
  return text === undefined ? null : (JSON.parse(text) as Attributes)
}

import { z } from 'zod'
import { AppError } from '../model/app-error.js'

/** One page of a list. */
export interface Page<T> {
  readonly items: T[]
  readonly nextCursor: string | null
}

/** Writes and reads the cursors of one list: the key of the last item of a page, opaque to clients and of no use on another list. */
export class Cursors<Key extends z.ZodType> {
  /** @param list name of the list, part of each cursor */
  constructor(
    private readonly list: string,
    private readonly key: Key,
  ) {}

  encode(key: z.input<Key>): string {
    return Buffer.from(JSON.stringify([this.list, key])).toString('base64url')
  }

  /** @throws AppError `invalid_cursor` */
  decode(cursor: string | undefined): z.output<Key> | undefined {
    if (cursor === undefined) return undefined
    const parsed = z
      .tuple([z.literal(this.list), this.key])
      .safeParse(parseJson(Buffer.from(cursor, 'base64url').toString()))
    if (!parsed.success) throw new AppError('invalid_cursor')
    return parsed.data[1] as z.output<Key>
  }

  /**
   * Cuts a page from rows of which one more than the limit was asked for.
   * @param rows at most `limit + 1`
   */
  page<Row, Item>(
    rows: readonly Row[],
    limit: number,
    keyOf: (row: Row) => z.input<Key>,
    toItem: (row: Row) => Item,
  ): Page<Item> {
    const last = rows.length > limit ? rows[limit - 1] : undefined
    return {
      items: rows.slice(0, limit).map(toItem),
      nextCursor: last === undefined ? null : this.encode(keyOf(last)),
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

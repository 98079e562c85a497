import { indexedWords } from './alarm-words.js'
import type { SqlDialect } from './sql-dialect.js'
import { chunksOf, insertRows, joinSql, type Queries, sql } from './sql-rows.js'

interface AlarmInBlock {
  readonly id: string
  readonly block: number
}

/** An alarm whose search text changed. */
export interface ChangedText extends AlarmInBlock {
  readonly before: string
  readonly after: string
}

const COLUMNS = ['block', 'word', 'alarm_id']

/** Adds words that the alarms do not have in the index yet. */
export async function insertWords(
  queries: Queries,
  dialect: SqlDialect,
  alarms: readonly (AlarmInBlock & { readonly words: readonly string[] })[],
): Promise<void> {
  const rows = alarms.flatMap(({ id, block, words }) => words.map((word) => [block, word, id]))
  await insertRows(queries, dialect, 'alarm_words', COLUMNS, rows)
}

/** Brings the index of words from the search texts before to those after. */
export async function replaceWords(
  queries: Queries,
  dialect: SqlDialect,
  changes: readonly ChangedText[],
): Promise<void> {
  const gone: (readonly [number, string, string])[] = []
  const added: (AlarmInBlock & { readonly words: readonly string[] })[] = []
  for (const { id, block, before, after } of changes) {
    const [old, now] = [new Set(indexedWords(before)), new Set(indexedWords(after))]
    for (const word of old) if (!now.has(word)) gone.push([block, word, id])
    added.push({ id, block, words: [...now].filter((word) => !old.has(word)) })
  }
  for (const some of chunksOf(gone, dialect.atOnce.sought)) {
    // Whole keys one by one: not every database searches its index by a list of tuples.
    const keys = some.map((key) => sql('(block = ? AND word = ? AND alarm_id = ?)', ...key))
    const { text, values } = joinSql(keys, ' OR ')
    await queries.query(`DELETE FROM alarm_words WHERE ${text}`, [...values])
  }
  await insertWords(queries, dialect, added)
}

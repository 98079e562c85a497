import type { NamedFile, UnjoinedStep } from './alarm-records.js'
import type { SqlDialect } from './sql-dialect.js'
import { chunksOf, joinSql, type Queries, runSql, type Sql, sql } from './sql-rows.js'

/** Files in one statement: each is a search of its own in an index. */
const SOUGHT_AT_ONCE = 100
/** Files that alarms name and that are compared in one step: some milliseconds of a reader. */
const COMPARED_AT_ONCE = 2000
const NAME = 'f.device_id, f.file_name'

type FileIndex = 'PRIMARY' | 'alarm_files_by_name'

interface FileRow {
  readonly device_id: string
  readonly file_name: string
}

/**
 * Files that alarms name, with another video than the name has, or none of it.
 * @param columns of rows `f` of the files
 * @param index that the condition is searched by
 */
export function unjoinedSql({ rowsBy }: SqlDialect, columns: string, index: FileIndex, condition: Sql): Sql {
  return sql(
    `SELECT ${columns} FROM ${rowsBy('alarm_files', 'f', index)}
      LEFT JOIN ${rowsBy('videos', 'v', 'videos_by_name')} ON v.device_id = f.device_id AND v.file_name = f.file_name AND v.listed_at IS NOT NULL
      WHERE (${condition.text}) AND COALESCE(v.id, '') <> COALESCE(f.video_id, '')`,
    ...condition.values,
  )
}

export async function findUnjoined(
  queries: Queries,
  dialect: SqlDialect,
  files: readonly NamedFile[],
): Promise<NamedFile[]> {
  const once = new Map(files.map((file) => [keyOf(file), file]))
  const unjoined: NamedFile[] = []
  for (const some of chunksOf([...once.values()], SOUGHT_AT_ONCE)) {
    const names = some.map(({ deviceId, fileName }) => sql('(f.device_id = ? AND f.file_name = ?)', deviceId, fileName))
    const statement = unjoinedSql(dialect, `DISTINCT ${NAME}`, 'alarm_files_by_name', joinSql(names, ' OR '))
    unjoined.push(...(await namesOf(queries, statement)))
  }
  return unjoined
}

/** In the order of alarms, whose ids are where a step ends. */
export async function findUnjoinedAfter(
  queries: Queries,
  dialect: SqlDialect,
  after: string | undefined,
): Promise<UnjoinedStep> {
  const begin = after ?? ''
  const [end] = await runSql<{ alarm_id: string }>(
    queries,
    sql(
      'SELECT alarm_id FROM alarm_files WHERE alarm_id > ? ORDER BY alarm_id, position LIMIT 1 OFFSET ?',
      begin,
      COMPARED_AT_ONCE - 1,
    ),
  )
  const step = end ? sql('f.alarm_id > ? AND f.alarm_id <= ?', begin, end.alarm_id) : sql('f.alarm_id > ?', begin)
  // Not DISTINCT: the database would go through all files in the order of another index for it.
  const statement = unjoinedSql(dialect, NAME, 'PRIMARY', step)
  const names = new Map((await namesOf(queries, statement)).map((file) => [keyOf(file), file]))
  return { files: [...names.values()], next: end?.alarm_id }
}

async function namesOf(queries: Queries, statement: Sql): Promise<NamedFile[]> {
  const rows = await runSql<FileRow>(queries, statement)
  return rows.map(({ device_id, file_name }) => ({ deviceId: device_id, fileName: file_name }))
}

function keyOf({ deviceId, fileName }: NamedFile): string {
  return `${deviceId}/${fileName}`
}

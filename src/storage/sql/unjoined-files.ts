import type { NamedFile, UnjoinedStep } from './alarm-records.js'
import { chunksOf, joinSql, type Queries, runSql, type Sql, sql } from './sql-rows.js'

/** Files in one statement: each is a search of its own in an index. */
const SOUGHT_AT_ONCE = 100
/** Files that alarms name and that are compared in one step: some milliseconds of a reader. */
const COMPARED_AT_ONCE = 2000

interface FileRow {
  readonly device_id: string
  readonly file_name: string
}

/** @param columns of rows `f` of the files that alarms name, with another video than the name has, or none of it. */
export function unjoinedSql(columns: string, condition: Sql): Sql {
  return sql(
    `SELECT ${columns} FROM alarm_files f
      LEFT JOIN videos v ON v.device_id = f.device_id AND v.file_name = f.file_name AND v.listed_at IS NOT NULL
      WHERE (${condition.text}) AND COALESCE(v.id, '') <> COALESCE(f.video_id, '')`,
    ...condition.values,
  )
}

export async function findUnjoined(queries: Queries, files: readonly NamedFile[]): Promise<NamedFile[]> {
  const once = new Map(files.map((file) => [keyOf(file), file]))
  const unjoined: NamedFile[] = []
  for (const some of chunksOf([...once.values()], SOUGHT_AT_ONCE)) {
    const names = some.map(({ deviceId, fileName }) => sql('(f.device_id = ? AND f.file_name = ?)', deviceId, fileName))
    unjoined.push(...(await namesOf(queries, joinSql(names, ' OR '), 'DISTINCT ')))
  }
  return unjoined
}

/** In the order of alarms, whose ids are where a step ends. */
export async function findUnjoinedAfter(queries: Queries, after: string | undefined): Promise<UnjoinedStep> {
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
  const names = new Map((await namesOf(queries, step)).map((file) => [keyOf(file), file]))
  return { files: [...names.values()], next: end?.alarm_id }
}

async function namesOf(queries: Queries, condition: Sql, distinct: 'DISTINCT ' | '' = ''): Promise<NamedFile[]> {
  const rows = await runSql<FileRow>(queries, unjoinedSql(`${distinct}f.device_id, f.file_name`, condition))
  return rows.map(({ device_id, file_name }) => ({ deviceId: device_id, fileName: file_name }))
}

function keyOf({ deviceId, fileName }: NamedFile): string {
  return `${deviceId}/${fileName}`
}

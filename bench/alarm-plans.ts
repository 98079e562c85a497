import type { QueryRunner } from 'typeorm'
import { ALARM_GROUPINGS, type AlarmRecords } from '../src/storage/sql/alarm-records.js'
import { openMysqlDataSource } from '../src/storage/sql/open-mysql-data-source.js'
import { type Access, explainStatement, recordStatements, type Statement } from '../test/stores/explain.js'
import { ASKED, SUMMED } from './alarm-questions.js'
import { count, type Finding } from './finding.js'

const PAGE = 50
/** Of what varies from call to call. */
const CALLS = [0, 20, 40]
/** Read whole, a table of so many rows is no list's business. */
const MANY_ROWS = 10_000
const LISTS = /^SELECT a\.id, a\.device_id/

/** What EXPLAIN says of all accesses of one kind that a question takes. */
interface Way {
  /** Such as `a ref alarms_by_device`. */
  readonly access: string
  readonly table: string
  /** In one call, at most. */
  times: number
  /** The planner's estimate, of the access for which it is highest. */
  mostRows: number
  isSorted: boolean
}

/** The statements of a question, explained, and what they read. */
interface Plan {
  /** The ways of the statements that list or count. */
  readonly ways: Way[]
  /** Those of the looks before them, and of the files and history of the alarms found. */
  readonly besides: Way[]
  /** Rows and entries of indexes that the server read for all statements of one call, at most. */
  rowsRead: number
}

/** EXPLAIN of every question of the list and of every summary, and how much the server reads for it. */
export async function explainQuestions(alarms: AlarmRecords, url: string): Promise<Finding[]> {
  const source = await openMysqlDataSource({ url, tls: 'off', poolSize: 1 })
  const runner = source.createQueryRunner()
  try {
    const sizes = await tableSizes(runner)
    const findings: Finding[] = []
    for (const [title, ask] of Object.entries(ASKED)) {
      const calls = CALLS.map((n) => () => alarms.list({ order: 'newest', limit: PAGE, ...ask(n) }))
      findings.push(findingOf(`plan of list: ${title}`, await planOf(runner, calls, LISTS), sizes))
    }
    for (const [title, filter] of Object.entries(SUMMED)) {
      for (const by of ALARM_GROUPINGS) {
        const plan = await planOf(runner, [() => alarms.summarize(filter, by)], /COUNT\(\*\) AS n FROM/)
        // Whoever counts all alarms reads all entries of an index.
        findings.push({
          ...findingOf(`plan of summary by ${by}: ${title}`, plan, sizes),
          target: undefined,
          isMet: undefined,
        })
      }
    }
    return findings
  } finally {
    await runner.release()
    await source.destroy()
  }
}

async function planOf(runner: QueryRunner, calls: readonly (() => Promise<unknown>)[], pattern: RegExp): Promise<Plan> {
  const plan: Plan = { ways: [], besides: [], rowsRead: 0 }
  for (const call of calls) {
    const statements = await recordStatements(call)
    const ways: Access[] = []
    const besides: Access[] = []
    for (const statement of statements)
      (pattern.test(statement[0]) ? ways : besides).push(...(await explainStatement(runner, statement)))
    note(plan.ways, ways)
    note(plan.besides, besides)
    plan.rowsRead = Math.max(plan.rowsRead, await rowsReadBy(runner, statements))
  }
  return plan
}

/** Adds the accesses of one call. */
function note(ways: Way[], accesses: readonly Access[]): void {
  const times = new Map<string, number>()
  for (const { table, type, key, rows, extra } of accesses) {
    const access = `${table} ${type} ${key ?? ''}`.trim()
    let way = ways.find((one) => one.access === access)
    if (way === undefined) {
      way = { access, table, times: 0, mostRows: 0, isSorted: false }
      ways.push(way)
    }
    times.set(access, (times.get(access) ?? 0) + 1)
    way.times = Math.max(way.times, times.get(access) ?? 0)
    way.mostRows = Math.max(way.mostRows, rows)
    way.isSorted ||= extra.includes('filesort')
  }
}

/** What the statements read when they are run once more, by the server's own count. */
async function rowsReadBy(runner: QueryRunner, statements: readonly Statement[]): Promise<number> {
  const atFirst = await readSoFar(runner)
  // What the look at the counters itself counts.
  const before = await readSoFar(runner)
  for (const [sql, values] of statements) await runner.query(sql, values)
  return (await readSoFar(runner)) - before - (before - atFirst)
}

async function readSoFar(runner: QueryRunner): Promise<number> {
  const rows = (await runner.query("SHOW SESSION STATUS LIKE 'Handler_read%'")) as { Value: string }[]
  return rows.reduce((sum, { Value }) => sum + Number(Value), 0)
}

/** Rows of each table, also by the names that the statements give it. */
async function tableSizes(runner: QueryRunner): Promise<Readonly<Record<string, number>>> {
  const sizes: Record<string, number> = {}
  const names = { alarms: 'a', alarm_words: 'w', alarm_files: 'f', alarm_changes: 'c', alarm_devices: 'd' }
  for (const [table, alias] of Object.entries(names)) {
    const [row] = (await runner.query(`SELECT COUNT(*) AS n FROM ${table}`)) as { n: number | string }[]
    sizes[table] = sizes[alias] = Number(row?.n)
  }
  return sizes
}

function findingOf(title: string, plan: Plan, sizes: Readonly<Record<string, number>>): Finding {
  const ways = plan.ways.length > 0 ? plan.ways : plan.besides
  const faults = faultsOf([...plan.ways, ...plan.besides], plan.rowsRead, sizes)
  return {
    title,
    figure: `${ways.map(toText).join(', ')}; read ${count(plan.rowsRead)}${faults.map((fault) => `; ${fault}`).join('')}`,
    target: 'no table of alarms read or sorted whole',
    isMet: faults.length === 0,
    details: { ...plan, faults },
  }
}

function toText({ access, times, mostRows, isSorted }: Way): string {
  return `${access}${times > 1 ? ` ×${times}` : ''} (≤ ${count(mostRows)}${isSorted ? ', sorted' : ''})`
}

/** Full scans and sorts of whole tables, as EXPLAIN tells them and as the server's count of rows does. */
function faultsOf(ways: readonly Way[], rowsRead: number, sizes: Readonly<Record<string, number>>): string[] {
  const sizeOf = ({ table }: Way) => sizes[table] ?? 0
  const faults = ways
    .filter((way) => sizeOf(way) >= MANY_ROWS)
    .flatMap((way) => [
      ...(/^\S+ ALL\b/.test(way.access) ? [`FULL SCAN of ${way.access}`] : []),
      ...(way.isSorted && way.mostRows >= sizeOf(way) / 2 ? [`SORT of all of ${way.access}`] : []),
    ])
  const alarms = sizes.alarms ?? 0
  return rowsRead >= alarms / 2 && alarms >= MANY_ROWS ? [...faults, `READ ${count(rowsRead)} rows`] : faults
}

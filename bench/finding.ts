import { type Latencies, median } from './latencies.js'

/** One line of the report. */
export interface Finding {
  readonly title: string
  /** What was measured, with its unit. */
  readonly figure: string
  /** What a bare server or store did in the same run, with its unit. */
  readonly floor?: string
  /** Figure to floor. */
  readonly ratio?: number
  readonly target?: string
  /** Undefined: reported without a target. */
  readonly isMet?: boolean
  /** What the line was made from. */
  readonly details: Readonly<Record<string, unknown>>
}

/** Rates of the same windows, floor and product in turn. */
export interface Comparison {
  readonly rates: readonly number[]
  readonly floorRates: readonly number[]
}

/**
 * Measures both in turn, so that a machine that is slower for a while is so for both. The first round is thrown away: in it
 * both programs are still being compiled.
 */
export async function compare(
  repeats: number,
  measureFloor: () => Promise<number>,
  measure: () => Promise<number>,
): Promise<Comparison> {
  const [floorRates = [], rates = []] = await measureInTurn(repeats, [measureFloor, measure])
  return { rates, floorRates }
}

/** As {@link compare}, of any number. @returns what each one measured, in the order in which they were given */
export async function measureInTurn<T>(
  repeats: number,
  measures: ReadonlyArray<() => Promise<T>>,
): Promise<ReadonlyArray<readonly T[]>> {
  for (const measure of measures) await measure()
  const rounds = measures.map((): T[] => [])
  for (let n = 0; n < repeats; n++) {
    for (const [at, measure] of measures.entries()) rounds[at]?.push(await measure())
  }
  return rounds
}

/** A line about a rate and its floor, by their medians. */
export function rateFinding(
  title: string,
  unit: string,
  { rates, floorRates }: Comparison,
  extra: { readonly leastRatio?: number; readonly details?: Readonly<Record<string, unknown>> } = {},
): Finding {
  const ratio = median(rates) / median(floorRates)
  const isMet = extra.leastRatio === undefined ? undefined : ratio >= extra.leastRatio
  return {
    title,
    figure: `${count(median(rates))} ${unit}`,
    floor: `${count(median(floorRates))} ${unit}`,
    ratio,
    target: extra.leastRatio === undefined ? undefined : `ratio ≥ ${extra.leastRatio}`,
    isMet,
    details: { rates: rates.map(Math.round), floorRates: floorRates.map(Math.round), ...extra.details },
  }
}

/** The 50th, 95th and 99th percentile in milliseconds, each the median of the rounds'. */
export function percentiles(rounds: readonly Latencies[]): string {
  const found = rounds.map((latencies) => latencies.quantiles([0.5, 0.95, 0.99]))
  return `${[0, 1, 2].map((at) => median(found.map((round) => round[at] ?? Number.NaN)).toFixed(1)).join(' / ')} ms`
}

/** A whole number with spaces between thousands. */
export function count(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ' ')
}

/** The findings as lines of text in columns. */
export function tabulate(findings: readonly Finding[]): string {
  const rows = findings.map(({ title, figure, floor, ratio, target, isMet }) => [
    title,
    figure,
    floor ?? '',
    ratio?.toFixed(2) ?? '',
    target ?? '',
    isMet === undefined ? '' : isMet ? 'met' : 'MISSED',
  ])
  const table = [['scenario', 'measured', 'floor', 'ratio', 'target', ''], ...rows]
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? []
  return table.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')).join('\n')
}

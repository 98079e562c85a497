import type { DataSource } from 'typeorm'
import { Comparison } from './comparison.js'
import { type CopiedRow, type CopiedTable, compareKeys, nameOfRow } from './copied-table.js'
import { type CopyPart, type CopyProgress, ForeignDataError, type PartExtent, type PartReport } from './copy-part.js'
import { type Pair, pairPages } from './paired-pages.js'
import { TableRows } from './table-rows.js'

/** One table of the relational database, row by row in the order of its key. */
export class TableCopy implements CopyPart {
  readonly unit = 'rows'
  private readonly source: TableRows
  private readonly target: TableRows
  private total = 0
  /** All rows up to this one are in the target. */
  private copiedUpTo: CopiedRow | undefined

  constructor(
    private readonly table: CopiedTable,
    source: DataSource,
    target: DataSource,
  ) {
    this.source = new TableRows(source, table)
    this.target = new TableRows(target, table)
  }

  get name(): string {
    return this.table.name
  }

  async look(progress: CopyProgress): Promise<PartExtent> {
    const [total, present] = await Promise.all([this.source.count(), this.target.count()])
    this.total = total
    this.copiedUpTo = undefined
    if (present > 0) await this.lookAt(present, progress)
    return { total, present }
  }

  async copy(progress: CopyProgress): Promise<void> {
    progress.begin(`copying ${this.name}`, this.total, this.unit)
    for await (const pairs of this.pairs(this.copiedUpTo)) {
      const missing = pairs.flatMap(({ source, target }) => (source && !target ? [source] : []))
      await this.target.insert(missing)
      progress.advance(missing.length)
    }
    progress.end()
  }

  async verify(progress: CopyProgress): Promise<PartReport> {
    const comparison = new Comparison()
    progress.begin(`comparing ${this.name}`, await this.source.count(), this.unit)
    for await (const pairs of this.pairs()) {
      for (const pair of pairs) {
        const texts = { source: textOf(pair.source), target: textOf(pair.target) }
        if (texts.source !== undefined) comparison.source.take(texts.source)
        if (texts.target !== undefined) comparison.target.take(texts.target)
        if (texts.source !== texts.target) comparison.differences.add(this.wordsOf(pair))
      }
      progress.advance(pairs.length)
    }
    progress.end()
    return comparison.report(this.name, this.unit)
  }

  /** @throws ForeignDataError */
  private async lookAt(present: number, progress: CopyProgress): Promise<void> {
    progress.begin(`looking at ${this.name}`, present, this.unit)
    let seen = 0
    let isUnbroken = true
    for await (const pairs of this.pairs()) {
      for (const pair of pairs) {
        if (pair.target !== undefined && textOf(pair.source) !== textOf(pair.target))
          throw new ForeignDataError(this.wordsOf(pair))
        isUnbroken &&= pair.target !== undefined
        if (isUnbroken) this.copiedUpTo = pair.source
        if (pair.target !== undefined) seen++
      }
      progress.advance(pairs.length)
      if (seen === present) break
    }
    progress.end()
  }

  private wordsOf({ source, target }: Pair<CopiedRow>): string {
    const row = nameOfRow(this.table, source ?? target ?? [])
    if (source === undefined) return `${row}: not in the source`
    if (target === undefined) return `${row}: not in the target`
    const { columns } = this.table
    const different = columns.filter((_, index) => source[index] !== target[index]).map(({ name }) => name)
    return `${row}: another ${different.join(', ')}`
  }

  private pairs(after?: CopiedRow): AsyncGenerator<Pair<CopiedRow>[]> {
    return pairPages<CopiedRow>(
      (row) => this.source.listAfter(row),
      (row) => this.target.listAfter(row),
      (a, b) => compareKeys(this.table, a, b),
      after,
    )
  }
}

function textOf(row: CopiedRow | undefined): string | undefined {
  return row && JSON.stringify(row)
}

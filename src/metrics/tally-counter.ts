import { Counter, type CounterConfiguration } from 'prom-client'

/** What happened with one set of labels. */
export class Tally {
  private pending = 0

  add(count: number): void {
    this.pending += count
  }

  /** What was added since the last call. */
  take(): number {
    const { pending } = this
    this.pending = 0
    return pending
  }
}

/** A counter for what happens tens of thousands of times a second: a plain addition, handed over when somebody looks. */
export class TallyCounter<L extends string> {
  private readonly series: Array<{ readonly labels: Partial<Record<L, string>>; readonly tally: Tally }> = []

  constructor(configuration: CounterConfiguration<L>) {
    const { series } = this
    new Counter<L>({
      ...configuration,
      collect() {
        for (const { labels, tally } of series) {
          const count = tally.take()
          if (count > 0) this.inc(labels, count)
        }
      },
    })
  }

  /** To be asked for once and kept. */
  of(labels: Partial<Record<L, string>>): Tally {
    const tally = new Tally()
    this.series.push({ labels, tally })
    return tally
  }
}

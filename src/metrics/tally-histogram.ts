import { Histogram, type HistogramConfiguration } from 'prom-client'

/** Values observed with one label. */
export class TallySeries {
  /** How many fell into each bucket alone; the last is beyond all bounds. */
  readonly counts: number[]
  sum = 0

  constructor(private readonly bounds: readonly number[]) {
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0)
  }

  observe(value: number): void {
    this.sum += value
    let bucket = 0
    for (const bound of this.bounds) {
      if (value <= bound) break
      bucket += 1
    }
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1
  }
}

/**
 * A histogram with one label for what happens tens of thousands of times a second: an observation is a few additions, where
 * prom-client's costs most of a microsecond.
 */
export class TallyHistogram<L extends string> {
  private readonly series = new Map<string, TallySeries>()

  constructor(
    private readonly configuration: HistogramConfiguration<L> & { readonly label: L; readonly buckets: number[] },
  ) {
    const { name, help, label } = configuration
    // The way in which the registry asks a histogram; prom-client's types leave it out.
    Object.assign(new Histogram<L>({ ...configuration, labelNames: [label] }), {
      getForPromString: async () => ({ name, help, type: 'histogram', aggregator: 'sum', values: this.values() }),
    })
  }

  /** The series of a label's value, to be asked for once and kept. */
  of(labelValue: string): TallySeries {
    const known = this.series.get(labelValue)
    if (known !== undefined) return known
    const series = new TallySeries(this.configuration.buckets)
    this.series.set(labelValue, series)
    return series
  }

  private values(): object[] {
    return [...this.series].flatMap(([labelValue, series]) => this.valuesOf(labelValue, series))
  }

  private valuesOf(labelValue: string, { counts, sum }: TallySeries): object[] {
    const { name, label, buckets } = this.configuration
    const labels = { [label]: labelValue }
    let count = 0
    const cumulative = counts.map((inBucket, at) => {
      count += inBucket
      return { metricName: `${name}_bucket`, labels: { le: buckets[at] ?? '+Inf', ...labels }, value: count }
    })
    return [
      ...cumulative,
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: count },
    ]
  }
}

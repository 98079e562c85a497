/** Latencies in milliseconds, all kept, so that a quantile is exact. */
export class Latencies {
  private values = new Float64Array(65_536)
  private size = 0

  get count(): number {
    return this.size
  }

  add(latencyMs: number): void {
    if (this.size === this.values.length) {
      const larger = new Float64Array(this.size * 2)
      larger.set(this.values)
      this.values = larger
    }
    this.values[this.size++] = latencyMs
  }

  /** The least value that this part of all values does not exceed. */
  quantiles(parts: readonly number[]): number[] {
    const sorted = this.values.slice(0, this.size).sort()
    return parts.map((part) => sorted[Math.max(0, Math.ceil(part * this.size) - 1)] ?? Number.NaN)
  }
}

/** The middle value; of an even number of values the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length / 2
  return ((sorted[Math.ceil(half) - 1] ?? Number.NaN) + (sorted[Math.floor(half)] ?? Number.NaN)) / 2
}

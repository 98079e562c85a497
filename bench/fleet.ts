const VARIANTS = 256
const FIRST_TIME_MS_AGO = 30 * 86_400_000
const STEP_MS = 1000

/** A position as a unit sends it, without its time. */
interface Fix {
  readonly latitude: number
  readonly longitude: number
  readonly altitude: number
  readonly speed: number
  readonly heading: number
}

/** A drive in a circle, so that consecutive positions differ as a truck's do. */
const FIXES: readonly Fix[] = Array.from({ length: VARIANTS }, (_, n) => {
  const angle = (2 * Math.PI * n) / VARIANTS
  const rounded = (value: number, digits: number) => Number(value.toFixed(digits))
  return {
    latitude: rounded(48.1635066 + 0.05 * Math.sin(angle), 7),
    longitude: rounded(11.5643883 + 0.05 * Math.cos(angle), 7),
    altitude: rounded(519 + 10 * Math.sin(angle * 3), 1),
    speed: rounded(50 + 30 * Math.sin(angle * 5), 1),
    heading: rounded((n * 360) / VARIANTS, 1),
  }
})

/** The JSON of each fix after its time: only the time is new in each message. */
const TAILS = FIXES.map((fix) => `",${JSON.stringify(fix).slice(1)}`)

/**
 * Positions of a number of units, each with a clock that moves a second with every position. Texts are put together from parts
 * that were serialised before the load begins.
 */
export class Fleet {
  /** Positions that each unit has sent. */
  readonly sent: number[]
  private readonly firstTimeMs = Math.floor((Date.now() - FIRST_TIME_MS_AGO) / STEP_MS) * STEP_MS
  private readonly times: string[] = []

  constructor(readonly units: number) {
    this.sent = Array.from({ length: units }, () => 0)
  }

  /** The unit's next position as JSON. */
  nextPosition(unit: number): string {
    const n = this.sent[unit] ?? 0
    this.sent[unit] = n + 1
    return `{"time":"${this.timeOf(n)}${TAILS[(n + unit) % VARIANTS]}`
  }

  /** The unit's next positions as a JSON array. */
  nextBatch(unit: number, size: number): string {
    let text = `[${this.nextPosition(unit)}`
    for (let n = 1; n < size; n++) text += `,${this.nextPosition(unit)}`
    return `${text}]`
  }

  /** What the unit's n-th position was. */
  positionOf(unit: number, n: number): Fix & { readonly time: string } {
    const fix = FIXES[(n + unit) % VARIANTS]
    if (fix === undefined) throw new RangeError('no such position')
    return { time: this.timeOf(n), ...fix }
  }

  timeMsOf(n: number): number {
    return this.firstTimeMs + n * STEP_MS
  }

  /** One text for all units, made once. */
  private timeOf(n: number): string {
    const known = this.times[n]
    if (known !== undefined) return known
    const time = new Date(this.timeMsOf(n)).toISOString()
    this.times[n] = time
    return time
  }
}

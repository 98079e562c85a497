/** One fix as a unit keeps it, whatever protocol carries it. */
export interface Fix {
  /** Unit's clock, epoch milliseconds UTC. */
  readonly timeMs: number
  /** Degrees WGS84. */
  readonly latitude: number
  readonly longitude: number
  readonly altitudeM: number | null
  readonly speedKmh: number | null
  /** Degrees clockwise from north, 0 ≤ heading < 360. */
  readonly headingDeg: number | null
  readonly satellites: number | null
}

/** A recorded drive: its fixes in time order, at least one. */
export interface Drive {
  readonly name: string
  /** SHA-256 of the file, hexadecimal: two drives with one digest are the same. */
  readonly digest: string
  readonly fixes: readonly Fix[]
}

/** How long and how much. */
export interface BenchOptions {
  readonly units: number
  /** Idle sockets of the memory scenario. */
  readonly sockets: number
  readonly repeats: number
  readonly windowMs: number
  readonly warmUpMs: number
  /** Bytes of a clip of the upload scenario, and how many are uploaded in one measurement. */
  readonly clipBytes: number
  readonly clips: number
  /** Where CPU profiles of the loaded server go; undefined: none are made, which costs nothing. */
  readonly profileDirectory: string | undefined
}

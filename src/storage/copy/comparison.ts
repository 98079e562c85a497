import type { PartReport } from './copy-part.js'
import { Findings } from './findings.js'
import { RunningDigest } from './running-digest.js'

/** Both sides of one part, read back, while they are compared. */
export class Comparison {
  readonly source = new RunningDigest()
  readonly target = new RunningDigest()
  readonly differences = new Findings()
  readonly warnings = new Findings()

  report(name: string, unit: string): PartReport {
    const { source, target, differences, warnings } = this
    return {
      name,
      unit,
      source: source.finish(),
      target: target.finish(),
      differences: differences.told,
      differenceCount: differences.count,
      warnings: warnings.told,
    }
  }
}

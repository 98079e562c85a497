import type { LiveFeed } from '../live/live-feed.js'
import type { Metrics } from '../metrics/metrics.js'
import type { IngestOutcome, Report } from '../model/report.js'
import type { DiskGuard } from '../storage/disk-guard.js'
import { foldRepeats } from './fold-repeats.js'
import type { GroupCommit } from './group-commit.js'
import type { Quarantine } from './quarantine.js'
import { type Limits, type Validated, validate } from './validate.js'

/** What happens to a report, whatever way it came in. An outcome means that every record is settled; only then may it be acknowledged. */
export class Ingest {
  constructor(
    private readonly commit: GroupCommit,
    private readonly quarantine: Quarantine,
    private readonly live: LiveFeed,
    private readonly disk: DiskGuard,
    private readonly context: { readonly limits: Limits; readonly metrics: Metrics },
  ) {}

  /**
   * @throws AppError `store_unavailable` | `overloaded` | `disk_full`: nothing of the report may be acknowledged
   */
  async ingest(report: Report): Promise<IngestOutcome> {
    this.disk.assertWritable()
    const { valid, rejected } = validate(report, this.context.limits)
    const { once, repeats } = foldRepeats(valid)
    const { isNew, isLatest } = await this.commit.append(once) // resolves after the commit
    this.quarantine.keep(report, rejected) // bounded, in the background: must never hold good data back
    this.live.publishPositions(once.filter((_, index) => isLatest[index])) // never throws, never waits
    const accepted = isNew.reduce((sum, one) => (one ? sum + 1 : sum), 0)
    const outcome = { accepted, duplicates: once.length - accepted + repeats, rejected }
    this.count(report.ingress, outcome, rejected)
    return outcome
  }

  private count(ingress: string, outcome: IngestOutcome, rejected: Validated['rejected']): void {
    const { positions, refusals } = this.context.metrics
    if (outcome.accepted > 0) positions.inc({ ingress, outcome: 'accepted' }, outcome.accepted)
    if (outcome.duplicates > 0) positions.inc({ ingress, outcome: 'duplicate' }, outcome.duplicates)
    if (rejected.length === 0) return
    positions.inc({ ingress, outcome: 'rejected' }, rejected.length)
    for (const { code } of rejected) refusals.inc({ ingress, code })
  }
}

import type { LiveFeed } from '../live/live-feed.js'
import type { Metrics } from '../metrics/metrics.js'
import type { Tally } from '../metrics/tally-counter.js'
import type { Position } from '../model/position.js'
import type { IngestOutcome, RefusedRecord, Report } from '../model/report.js'
import type { DiskGuard } from '../storage/disk-guard.js'
import { foldRepeats } from './fold-repeats.js'
import type { GroupCommit } from './group-commit.js'
import type { Quarantine } from './quarantine.js'
import { type Limits, validate } from './validate.js'

/** Positions of one way in, by what became of them. */
type Tallies = Readonly<Record<'accepted' | 'duplicate' | 'rejected', Tally>>

/** What became of a report, and which of its records is where its device was seen last from now on. */
export interface Settled {
  readonly outcome: IngestOutcome
  readonly latest: Position | undefined
}

type Rejected = RefusedRecord & { readonly index: number }

/** What happens to a report, whatever way it came in. An outcome means that every record is settled; only then may it be acknowledged. */
export class Ingest {
  private readonly tallies = new Map<string, Tallies>()

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
    const { outcome } = await this.settle(report)
    return outcome
  }

  /** As {@link ingest}. */
  async settle(report: Report): Promise<Settled> {
    this.disk.assertWritable()
    const { valid, rejected: invalid } = validate(report, this.context.limits)
    const { once, sourcesOf } = foldRepeats(valid)
    const { isNew, isLatest, isTooLarge } = await this.commit.append(once) // resolves after the commit
    const tooLarge =
      isTooLarge === undefined
        ? []
        : refuse(
            report,
            once.flatMap((_, index) => (isTooLarge[index] ? sourcesOf(index) : [])),
          )
    const rejected = tooLarge.length === 0 ? invalid : [...invalid, ...tooLarge].sort((a, b) => a.index - b.index)
    this.quarantine.keep(report, rejected) // bounded, in the background: must never hold good data back
    const latest = once.filter((_, index) => isLatest[index])
    this.live.publishPositions(latest) // never throws, never waits
    const accepted = isNew.reduce((sum, one) => (one ? sum + 1 : sum), 0)
    const duplicates = valid.length - accepted - tooLarge.length
    const outcome = { accepted, duplicates, rejected }
    this.count(report.ingress, outcome)
    return { outcome, latest: latest.at(-1) }
  }

  private count(ingress: string, outcome: IngestOutcome): void {
    const tallies = this.tallies.get(ingress) ?? this.openTallies(ingress)
    tallies.accepted.add(outcome.accepted)
    tallies.duplicate.add(outcome.duplicates)
    tallies.rejected.add(outcome.rejected.length)
    for (const { code } of outcome.rejected) this.context.metrics.refusals.inc({ ingress, code })
  }

  private openTallies(ingress: string): Tallies {
    const { positions } = this.context.metrics
    const tallies = {
      accepted: positions.of({ ingress, outcome: 'accepted' }),
      duplicate: positions.of({ ingress, outcome: 'duplicate' }),
      rejected: positions.of({ ingress, outcome: 'rejected' }),
    }
    this.tallies.set(ingress, tallies)
    return tallies
  }
}

/** Parts that would make their records too large. */
function refuse({ records }: Report, parts: readonly Position[]): Rejected[] {
  const message = 'with this part the attributes of its record would be too large'
  const isRefused = new Set(parts)
  return records.flatMap(({ position }, index) =>
    position !== undefined && isRefused.has(position) ? [{ index, code: 'attributes_too_large', message }] : [],
  )
}

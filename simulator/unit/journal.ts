import { z } from 'zod'
import type { Fix } from '../drives/drive.js'
import { LineFile } from './line-file.js'

/** The plan that the records belong to, so that a restart can go on where it stopped. */
export interface JournalRun {
  /** Equal for equal plans. */
  readonly plan: string
  /** When the plan was begun. */
  readonly originMs: number
  /** Sequence number of the plan's first record. */
  readonly firstSeq: number
}

export interface JournalEntry {
  readonly seq: number
  readonly fix: Fix
}

const Line = z.union([
  z.object({
    run: z.object({ plan: z.string(), originMs: z.number(), firstSeq: z.number() }).nullable(),
    nextSeq: z.number(),
  }),
  z.object({
    seq: z.number(),
    fix: z.object({
      timeMs: z.number(),
      latitude: z.number(),
      longitude: z.number(),
      altitudeM: z.number().nullable(),
      speedKmh: z.number().nullable(),
      headingDeg: z.number().nullable(),
      satellites: z.number().nullable(),
    }),
  }),
  z.object({ settled: z.array(z.tuple([z.number(), z.number()])) }),
])
type Line = z.infer<typeof Line>

/** A journal without pending records starts anew above this size. */
const COMPACT_BYTES = 1 << 20

/** One unit's records on disk, as lines that an end of the process does not lose. */
export class Journal {
  private readonly lines: LineFile<Line>
  /** Where `read` goes on. */
  private readOffset = 0
  private unreadCount = 0
  private seqs = 0
  private readonly settledBefore = new Set<number>()
  private currentRun: JournalRun | undefined

  private constructor(file: string) {
    let records = 0
    this.lines = LineFile.open(file, Line, (line) => {
      if ('fix' in line) {
        this.seqs = line.seq + 1
        records++
      } else if ('settled' in line) {
        for (const [from, to] of line.settled) for (let seq = from; seq <= to; seq++) this.settledBefore.add(seq)
      } else {
        this.currentRun = line.run ?? undefined
        this.seqs = line.nextSeq
      }
    })
    this.unreadCount = records - this.settledBefore.size
  }

  /**
   * Opens the journal, or begins one.
   * @throws JournalError damaged other than by a torn last line
   */
  static open(file: string): Journal {
    return new Journal(file)
  }

  /** Sequence number of the record that comes next. */
  get nextSeq(): number {
    return this.seqs
  }

  get run(): JournalRun | undefined {
    return this.currentRun
  }

  /** Unsettled records that `read` has not given out yet. */
  get unread(): number {
    return this.unreadCount
  }

  /** The records from here on belong to another plan. */
  begin(plan: string, originMs: number): void {
    this.currentRun = { plan, originMs, firstSeq: this.seqs }
    this.lines.append([{ run: this.currentRun, nextSeq: this.seqs }])
  }

  /**
   * Keeps the records under the next sequence numbers.
   * @param isHeld the caller holds them as well: `read` need not give them out (only when nothing is unread)
   * @throws the file system's error, and then none of them was kept
   */
  append(fixes: readonly Fix[], isHeld: boolean): void {
    this.lines.append(fixes.map((fix, index) => ({ seq: this.seqs + index, fix })))
    this.seqs += fixes.length
    if (isHeld) this.readOffset = this.lines.size
    else this.unreadCount += fixes.length
  }

  /** The records need not be sent again after a restart. */
  settle(seqs: readonly number[]): void {
    this.lines.append([{ settled: rangesOf(seqs) }])
  }

  /** The next unsettled records, oldest first, at most so many; each is given out once. */
  read(limit: number): JournalEntry[] {
    const entries: JournalEntry[] = []
    if (limit <= 0 || this.unreadCount === 0) return entries
    this.lines.scan(this.readOffset, (line, endOffset) => {
      this.readOffset = endOffset
      if (!('fix' in line) || this.settledBefore.delete(line.seq)) return true
      entries.push(line)
      this.unreadCount--
      return entries.length < limit && this.unreadCount > 0
    })
    return entries
  }

  /** Starts the file anew when it has grown; the caller knows that no record is pending. */
  compact(): void {
    if (this.lines.size < COMPACT_BYTES) return
    this.lines.replaceWith([{ run: this.currentRun ?? null, nextSeq: this.seqs }])
    this.settledBefore.clear()
    this.readOffset = 0
    this.unreadCount = 0
  }

  close(): void {
    this.lines.close()
  }

  /** Closes and forgets everything: the plan is done and every record settled. */
  remove(): void {
    this.lines.remove()
  }
}

function rangesOf(seqs: readonly number[]): Array<[number, number]> {
  const ranges: Array<[number, number]> = []
  for (const seq of [...seqs].sort((a, b) => a - b)) {
    const last = ranges.at(-1)
    if (last !== undefined && last[1] === seq - 1) last[1] = seq
    else ranges.push([seq, seq])
  }
  return ranges
}

import {
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { z } from 'zod'
import type { Fix } from '../drives/drive.js'

/** A journal that cannot be trusted; the message names the file and what is wrong. */
export class JournalError extends Error {
  override readonly name = 'JournalError'
}

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

const NEWLINE = 0x0a
const CHUNK_BYTES = 1 << 18
/** A journal without pending records starts anew above this size. */
const COMPACT_BYTES = 1 << 20

/**
 * One unit's records on disk: lines of JSON, appended. Each call returns when the kernel has the bytes, so that an end of the
 * process, however sudden, loses nothing; a power cut may (a simulator does not sync). A line that an end of the process tore
 * is cut off at the next opening. At most one process may have a journal open.
 */
export class Journal {
  private size = 0
  /** Where `read` goes on. */
  private readOffset = 0
  private unreadCount = 0
  private seqs = 0
  private settledBefore = new Set<number>()
  private currentRun: JournalRun | undefined

  private constructor(
    private readonly file: string,
    private fd: number,
  ) {}

  /**
   * Opens the journal, or begins one.
   * @throws JournalError damaged other than by a torn last line
   */
  static open(file: string): Journal {
    const fd = openSync(file, existsSync(file) ? 'r+' : 'w+', 0o600)
    const journal = new Journal(file, fd)
    try {
      journal.recover()
    } catch (error) {
      journal.close()
      throw error
    }
    return journal
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
    this.write([{ run: this.currentRun, nextSeq: this.seqs }])
  }

  /**
   * Keeps the records under the next sequence numbers.
   * @param isHeld the caller holds them as well: `read` need not give them out (only when nothing is unread)
   * @throws the file system's error, and then none of them was kept
   */
  append(fixes: readonly Fix[], isHeld: boolean): void {
    this.write(fixes.map((fix, index) => ({ seq: this.seqs + index, fix })))
    this.seqs += fixes.length
    if (isHeld) this.readOffset = this.size
    else this.unreadCount += fixes.length
  }

  /** The records need not be sent again after a restart. */
  settle(seqs: readonly number[]): void {
    this.write([{ settled: rangesOf(seqs) }])
  }

  /** The next unsettled records, oldest first, at most so many; each is given out once. */
  read(limit: number): JournalEntry[] {
    const entries: JournalEntry[] = []
    if (limit <= 0 || this.unreadCount === 0) return entries
    this.scan(this.readOffset, (line, endOffset) => {
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
    if (this.size < COMPACT_BYTES) return
    const next = `${this.file}.next`
    writeFileSync(next, `${JSON.stringify({ run: this.currentRun ?? null, nextSeq: this.seqs })}\n`, { mode: 0o600 })
    renameSync(next, this.file)
    closeSync(this.fd)
    this.fd = openSync(this.file, 'r+')
    this.size = 0
    this.recover()
  }

  close(): void {
    closeSync(this.fd)
  }

  /** Closes and forgets everything: the plan is done and every record settled. */
  remove(): void {
    this.close()
    rmSync(this.file, { force: true })
  }

  private recover(): void {
    this.settledBefore = new Set()
    this.readOffset = 0
    let records = 0
    const end = this.scan(0, (line) => {
      if ('fix' in line) {
        this.seqs = line.seq + 1
        records++
      } else if ('settled' in line) {
        for (const [from, to] of line.settled) for (let seq = from; seq <= to; seq++) this.settledBefore.add(seq)
      } else {
        this.currentRun = line.run ?? undefined
        this.seqs = line.nextSeq
      }
      return true
    })
    ftruncateSync(this.fd, end)
    this.size = end
    this.unreadCount = records - this.settledBefore.size
  }

  /** Calls with each whole line from the offset on, until told to stop; returns the offset after the last one seen. */
  private scan(offset: number, visit: (line: Line, endOffset: number) => boolean): number {
    let rest = Buffer.alloc(0)
    let position = offset
    for (;;) {
      const chunk = Buffer.alloc(CHUNK_BYTES)
      const length = readSync(this.fd, chunk, 0, CHUNK_BYTES, position + rest.length)
      if (length === 0) return position
      rest = Buffer.concat([rest, chunk.subarray(0, length)])
      for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
        const line = this.parse(rest.subarray(0, end).toString('utf8'), position)
        position += end + 1
        rest = rest.subarray(end + 1)
        if (!visit(line, position)) return position
      }
    }
  }

  private parse(text: string, offset: number): Line {
    try {
      return Line.parse(JSON.parse(text))
    } catch {
      throw new JournalError(`${this.file} is damaged at byte ${offset}: move it away to start without its records`)
    }
  }

  private write(lines: readonly unknown[]): void {
    const bytes = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
    try {
      for (let written = 0; written < bytes.length; ) {
        written += writeSync(this.fd, bytes, written, bytes.length - written, this.size + written)
      }
    } catch (error) {
      ftruncateSync(this.fd, this.size) // half a line in the middle would be damage
      throw error
    }
    this.size += bytes.length
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

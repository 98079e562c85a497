import type { Fix } from '../drives/drive.js'
import type { Journal } from './journal.js'

/** One record that the server has not answered for. */
export interface OutboxEntry {
  readonly seq: number
  readonly fix: Fix
  /** How often it was taken before. */
  readonly tries: number
}

/** With a journal no more than so many records are held in memory; the rest waits on disk. */
const HELD_IN_MEMORY = 5_000

/**
 * What a unit has recorded and the server has not settled. Nothing leaves but by `settle`. Without a journal it lives in
 * memory; with one, a restart finds what was pending, and a long time without a server fills the disk, not the memory.
 */
export class Outbox {
  /** Given back, to be taken first; ascending. */
  private returned: OutboxEntry[] = []
  private fresh: OutboxEntry[] = []
  private taken = 0
  private memorySeq = 0

  constructor(private readonly journal?: Journal) {}

  /** Records not settled, whether taken or not. */
  get pending(): number {
    return this.waiting + this.taken
  }

  /** Records that can be taken. */
  get waiting(): number {
    return this.returned.length + this.fresh.length + (this.journal?.unread ?? 0)
  }

  /** Sequence number of the record that comes next. */
  get nextSeq(): number {
    return this.journal?.nextSeq ?? this.memorySeq
  }

  /** @throws the file system's error when a journal cannot be written, and then none of the records was kept */
  add(fixes: readonly Fix[]): void {
    if (fixes.length === 0) return
    const firstSeq = this.nextSeq
    const isHeld = (this.journal?.unread ?? 0) === 0 && (!this.journal || this.fresh.length < HELD_IN_MEMORY)
    this.journal?.append(fixes, isHeld)
    this.memorySeq += fixes.length
    if (isHeld) fixes.forEach((fix, index) => void this.fresh.push({ seq: firstSeq + index, fix, tries: 0 }))
  }

  /** The oldest records, at most so many, and never two of one moment: a repeat belongs into another event. */
  take(limit: number): OutboxEntry[] {
    if (this.fresh.length < limit) this.refill()
    const batch: OutboxEntry[] = []
    const moments = new Set<number>()
    const moveFrom = (queue: OutboxEntry[]) => {
      let moved = 0
      for (const entry of queue) {
        if (batch.length === limit || moments.has(entry.fix.timeMs)) break
        moments.add(entry.fix.timeMs)
        batch.push(entry)
        moved++
      }
      queue.splice(0, moved)
      return queue.length === 0
    }
    if (moveFrom(this.returned)) moveFrom(this.fresh)
    this.taken += batch.length
    return batch
  }

  /** Taken records that were not settled; they are taken again before newer ones. */
  giveBack(entries: readonly OutboxEntry[]): void {
    const again = entries.map((entry) => ({ ...entry, tries: entry.tries + 1 }))
    this.returned = [...this.returned, ...again].sort((a, b) => a.seq - b.seq)
    this.taken -= entries.length
  }

  /** The server has answered for the records, stored or refused for good. */
  settle(entries: readonly OutboxEntry[]): void {
    this.journal?.settle(entries.map(({ seq }) => seq))
    this.taken -= entries.length
    if (this.pending === 0) this.journal?.compact()
  }

  private refill(): void {
    for (const entry of this.journal?.read(HELD_IN_MEMORY - this.fresh.length) ?? []) {
      this.fresh.push({ ...entry, tries: 0 })
    }
  }
}

import { z } from 'zod'
import { LineFile } from './line-file.js'

type Line<T> = { readonly item: T } | { readonly settled: string }

/** A file without pending items starts anew above this size. */
const COMPACT_BYTES = 1 << 16

/**
 * Few things that must not be lost, such as alarms, in the order they came. Nothing leaves but by `settle`. All that is pending is
 * in memory; with a file, a restart finds it again.
 */
export class DurableQueue<T> {
  private readonly items = new Map<string, T>()
  private readonly taken = new Set<string>()
  private readonly lines: LineFile<Line<T>> | undefined

  /**
   * @param schema how an item is written
   * @param keyOf of two items with one key the second is not added
   * @throws JournalError a damaged file
   */
  constructor(
    schema: z.ZodType<T>,
    private readonly keyOf: (item: T) => string,
    file?: string,
  ) {
    if (file === undefined) return
    const line: z.ZodType<Line<T>> = z.union([z.object({ item: schema }), z.object({ settled: z.string() })])
    this.lines = LineFile.open(file, line, (read) => {
      if ('item' in read) this.items.set(keyOf(read.item), read.item)
      else this.items.delete(read.settled)
    })
  }

  /** Items not settled, whether taken or not. */
  get pending(): number {
    return this.items.size
  }

  /** Items that can be taken. */
  get waiting(): number {
    return this.items.size - this.taken.size
  }

  has(item: T): boolean {
    return this.items.has(this.keyOf(item))
  }

  /**
   * @returns false: it is pending already
   * @throws the file system's error when it cannot be kept
   */
  add(item: T): boolean {
    const key = this.keyOf(item)
    if (this.items.has(key)) return false
    this.lines?.append([{ item }])
    this.items.set(key, item)
    return true
  }

  /** The oldest item that is not taken. */
  take(): T | undefined {
    if (this.waiting === 0) return undefined
    for (const [key, item] of this.items) {
      if (this.taken.has(key)) continue
      this.taken.add(key)
      return item
    }
    return undefined
  }

  /** It is to be taken again, before younger ones. */
  giveBack(item: T): void {
    this.taken.delete(this.keyOf(item))
  }

  settle(item: T): void {
    const key = this.keyOf(item)
    this.lines?.append([{ settled: key }])
    this.items.delete(key)
    this.taken.delete(key)
    if (this.pending === 0 && this.lines !== undefined && this.lines.size > COMPACT_BYTES) this.lines.replaceWith([])
  }

  /** Closes the file; one without pending items is removed. */
  close(): void {
    if (this.pending === 0) this.lines?.remove()
    else this.lines?.close()
  }
}

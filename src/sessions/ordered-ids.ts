import type { DeviceId } from '../model/device-id.js'

/** A chunk over this is halved: short enough that putting an id into its middle is cheap, long enough that chunks are few. */
const MAX_CHUNK = 512

/** A set of ids in order, byte by byte, of which a page is read without looking at the rest. */
export class OrderedIds {
  /** In order; none is empty but the only one. */
  private readonly chunks: DeviceId[][] = [[]]
  private count = 0

  get size(): number {
    return this.count
  }

  add(id: DeviceId): void {
    const index = this.indexFor(id)
    const chunk = this.chunkAt(index)
    const place = placeOf(id, chunk)
    if (chunk[place] === id) return
    chunk.splice(place, 0, id)
    this.count += 1
    if (chunk.length > MAX_CHUNK) this.chunks.splice(index + 1, 0, chunk.splice(MAX_CHUNK / 2))
  }

  delete(id: DeviceId): void {
    const index = this.indexFor(id)
    const chunk = this.chunkAt(index)
    const place = placeOf(id, chunk)
    if (chunk[place] !== id) return
    chunk.splice(place, 1)
    this.count -= 1
    if (chunk.length === 0 && this.chunks.length > 1) this.chunks.splice(index, 1)
  }

  /** @param after exclusive; undefined: from the first on */
  list(limit: number, after: DeviceId | undefined): DeviceId[] {
    let index = after === undefined ? 0 : this.indexFor(after)
    let start = after === undefined ? 0 : placeOf(after, this.chunkAt(index))
    if (after !== undefined && this.chunkAt(index)[start] === after) start += 1
    const ids: DeviceId[] = []
    for (; ids.length < limit && index < this.chunks.length; index++, start = 0) {
      ids.push(...this.chunkAt(index).slice(start, start + limit - ids.length))
    }
    return ids
  }

  /** The chunk that has the id, or would have it: the last one that begins with it or before it. */
  private indexFor(id: DeviceId): number {
    const after = firstWhere(this.chunks.length, (index) => (this.chunkAt(index)[0] ?? '') > id)
    return Math.max(0, after - 1)
  }

  private chunkAt(index: number): DeviceId[] {
    return this.chunks[index] ?? []
  }
}

/** Where the id is, or would be. */
function placeOf(id: DeviceId, chunk: readonly DeviceId[]): number {
  return firstWhere(chunk.length, (place) => (chunk[place] ?? '') >= id)
}

/** The first of so many numbers for which it holds, when it holds for all that follow; the number of them when for none. */
function firstWhere(count: number, holds: (index: number) => boolean): number {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (holds(middle)) high = middle
    else low = middle + 1
  }
  return low
}

import type { DeviceId } from '../model/device-id.js'

/** A set of ids in order, byte by byte, of which a page is read without looking at the rest. */
export class OrderedIds {
  private readonly ids: DeviceId[] = []

  get size(): number {
    return this.ids.length
  }

  add(id: DeviceId): void {
    const place = this.placeOf(id)
    if (this.ids[place] !== id) this.ids.splice(place, 0, id)
  }

  delete(id: DeviceId): void {
    const place = this.placeOf(id)
    if (this.ids[place] === id) this.ids.splice(place, 1)
  }

  /** @param after exclusive; undefined: from the first on */
  list(limit: number, after: DeviceId | undefined): DeviceId[] {
    if (after === undefined) return this.ids.slice(0, limit)
    const place = this.placeOf(after)
    const start = this.ids[place] === after ? place + 1 : place
    return this.ids.slice(start, start + limit)
  }

  /** Where the id is, or would be. */
  private placeOf(id: DeviceId): number {
    let low = 0
    let high = this.ids.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.ids[middle] as DeviceId) < id) low = middle + 1
      else high = middle
    }
    return low
  }
}

import { addressKeyOf } from '../../web/client-address.js'
import type { ConnectionRoom } from './tracker-server.js'

/** How many connections of trackers there may be, in all and from one address (IPv6: one /64, all of which is one client's). */
export class TrackerRoom implements ConnectionRoom {
  private readonly perAddress = new Map<string, number>()
  private inside = 0

  /** @param mostPerAddress 0: no limit */
  constructor(
    private readonly most: number,
    private readonly mostPerAddress: number,
  ) {}

  enter(address: string): boolean {
    const key = addressKeyOf(address)
    const here = this.perAddress.get(key) ?? 0
    if (this.inside >= this.most || (this.mostPerAddress > 0 && here >= this.mostPerAddress)) return false
    this.inside++
    this.perAddress.set(key, here + 1)
    return true
  }

  leave(address: string): void {
    const key = addressKeyOf(address)
    const left = (this.perAddress.get(key) ?? 1) - 1
    this.inside--
    if (left > 0) this.perAddress.set(key, left)
    else this.perAddress.delete(key)
  }
}

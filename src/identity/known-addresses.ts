import { Logger } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import type { DeviceRecords } from '../storage/sql/device-records.js'
import { addressKeyOf } from '../web/client-address.js'

const DAY_MS = 86_400_000
/** An id that logged in from an address is known there for so long. */
export const KNOWN_ADDRESS_MS = 30 * DAY_MS
const MAX_REMEMBERED = 100_000

/** From which addresses someone has logged in lately. */
export abstract class KnownAddresses {
  protected readonly seenAtMs = new LRUCache<string, number>({ max: MAX_REMEMBERED })

  constructor(protected readonly now: () => number = Date.now) {}

  /** Notes a good login; never throws or waits. */
  abstract remember(id: string, address: string): void

  async isKnown(id: string, address: string): Promise<boolean> {
    return (this.seenAtMs.get(pairOf(id, address)) ?? 0) > this.now() - KNOWN_ADDRESS_MS
  }
}

/** Users': in memory only, since few people share an address; a restart forgets them. */
export class UserAddresses extends KnownAddresses {
  remember(id: string, address: string): void {
    this.seenAtMs.set(pairOf(id, address), this.now())
  }
}

/** Devices': kept in the store, since many trucks share one carrier's address and must get in after a restart too. */
export class DeviceAddresses extends KnownAddresses {
  private readonly logger = new Logger('login')

  constructor(
    private readonly records: DeviceRecords,
    now: () => number = Date.now,
  ) {
    super(now)
  }

  remember(id: string, address: string): void {
    const pair = pairOf(id, address)
    const now = this.now()
    if ((this.seenAtMs.get(pair) ?? 0) > now - DAY_MS) return
    this.seenAtMs.set(pair, now)
    this.records.rememberAddress(id, addressKeyOf(address), now).catch((error: unknown) => {
      this.seenAtMs.delete(pair)
      this.logger.warn({ event: 'address_not_remembered', deviceId: id, reason: String(error) })
    })
  }

  override async isKnown(id: string, address: string): Promise<boolean> {
    if (await super.isKnown(id, address)) return true
    return this.records.isKnownAddress(id, addressKeyOf(address), this.now() - KNOWN_ADDRESS_MS)
  }
}

function pairOf(id: string, address: string): string {
  return `${addressKeyOf(address)} ${id}`
}

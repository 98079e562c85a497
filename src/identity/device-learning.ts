import { Injectable, Logger, type OnApplicationShutdown, type OnModuleDestroy } from '@nestjs/common'
import type { DeviceId } from '../model/device-id.js'
import type { Link } from '../sessions/link.js'
import { DiskGuard } from '../storage/disk-guard.js'
import { type DeviceFacts, DeviceRecords } from '../storage/sql/device-records.js'
import { DeviceDirectory, type DeviceIdentity } from './device-directory.js'

/** More devices wait for nothing: those that are left out are learned at their next contact. */
const MOST_WAITING = 20_000
/** Few enough to leave the database to those who wait for it. */
const WRITTEN_AT_ONCE = 8
const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 30_000

/**
 * What devices say of themselves, carried to the registry: the protocol follows the latest contact; brand and model are taken where the
 * registry has none, so that an admin's word holds for ever, and so does what was learned first. A device of which nothing is new costs
 * one look into memory, so that a fleet that reconnects costs no write.
 */
@Injectable()
export class DeviceLearning implements OnModuleDestroy, OnApplicationShutdown {
  private readonly logger = new Logger('devices')
  private readonly waiting = new Map<DeviceId, DeviceFacts>()
  private working: Promise<void> | undefined
  private pauseMs = 0
  private pause: NodeJS.Timeout | undefined
  private isStopped = false

  constructor(
    private readonly records: DeviceRecords,
    private readonly directory: DeviceDirectory,
    private readonly disk: DiskGuard,
  ) {}

  onModuleDestroy(): void {
    this.isStopped = true
    clearTimeout(this.pause)
    this.waiting.clear()
  }

  async onApplicationShutdown(): Promise<void> {
    await this.working
  }

  /**
   * A device was let in and said this of itself: every way in of trackers calls it, once for each connection and change of facts, or for
   * each datagram. Never throws, never waits.
   */
  learn(deviceId: DeviceId, facts: DeviceFacts): void {
    if (this.isStopped) return
    const known = this.directory.peek(deviceId)
    const earlier = this.waiting.get(deviceId)
    const told = merge(facts, earlier)
    if (known !== undefined && isKnown(known, told)) {
      this.waiting.delete(deviceId)
      return
    }
    if (earlier === undefined && this.waiting.size >= MOST_WAITING) return
    this.waiting.set(deviceId, told)
    this.begin()
  }

  /** A device can be spoken to: what speaks JSON now is no tracker any more, and obeys other commands. Never throws, never waits. */
  handleLink({ deviceId, carriesCommandIds }: Link): void {
    if (carriesCommandIds) this.learn(deviceId, { protocol: null })
  }

  private begin(): void {
    if (this.pause !== undefined) return
    this.working ??= this.work().finally(() => {
      this.working = undefined
      // What came between the last look and this moment.
      if (this.waiting.size > 0 && !this.isStopped) this.begin()
    })
  }

  private async work(): Promise<void> {
    while (this.waiting.size > 0 && !this.isStopped) {
      const some = [...this.firstWaiting()]
      const outcomes = await Promise.allSettled(some.map(([deviceId, facts]) => this.write(deviceId, facts)))
      const failed = outcomes.find((outcome) => outcome.status === 'rejected')
      if (failed !== undefined) {
        this.postpone(
          some.filter((_, i) => outcomes[i]?.status === 'rejected'),
          failed.reason,
        )
        return
      }
      this.pauseMs = 0
    }
  }

  private *firstWaiting(): Iterable<readonly [DeviceId, DeviceFacts]> {
    let left = WRITTEN_AT_ONCE
    for (const entry of this.waiting) {
      if (left-- === 0) return
      this.waiting.delete(entry[0])
      yield entry
    }
  }

  private async write(deviceId: DeviceId, facts: DeviceFacts): Promise<void> {
    const known = await this.directory.find(deviceId)
    if (known === undefined || isKnown(known, facts)) return
    this.disk.assertWritable()
    // Read again rather than put: an admin may change the device at the same time, and the newer of the two must not be overtaken.
    if ((await this.records.learn(deviceId, facts)) === undefined) return
    const learnt = await this.directory.reload(deviceId)
    // Shared with a read that began before the write.
    if (learnt !== undefined && !isKnown(learnt, facts)) await this.directory.reload(deviceId)
  }

  private postpone(failed: ReadonlyArray<readonly [DeviceId, DeviceFacts]>, reason: unknown): void {
    if (this.isStopped) return
    for (const [deviceId, facts] of failed)
      this.waiting.set(deviceId, merge(this.waiting.get(deviceId) ?? facts, facts))
    const words = reason instanceof Error ? reason.message : String(reason)
    this.logger.warn({ event: 'device_facts_not_written', devices: this.waiting.size, reason: words })
    this.pauseMs = Math.min(this.pauseMs * 2 || FIRST_PAUSE_MS, LONGEST_PAUSE_MS)
    this.pause = setTimeout(() => {
      this.pause = undefined
      this.begin()
    }, this.pauseMs)
    this.pause.unref()
  }
}

/** A message that leaves something out takes nothing back, unless it is another protocol's. */
function merge(facts: DeviceFacts, earlier: DeviceFacts | undefined): DeviceFacts {
  if (earlier?.protocol !== facts.protocol) return facts
  const { brand = earlier.brand, model = earlier.model } = facts
  return { protocol: facts.protocol, brand, model }
}

function isKnown(known: DeviceIdentity, { protocol, brand, model }: DeviceFacts): boolean {
  const hasBrand = known.brand !== null || brand === undefined
  const hasModel = known.model !== null || model === undefined
  return known.protocol === protocol && hasBrand && hasModel
}

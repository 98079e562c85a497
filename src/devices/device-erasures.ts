import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common'
import { AuditLog } from '../identity/audit-log.js'
import { ErasingDevices } from '../identity/erasing-devices.js'
import { AppError } from '../model/app-error.js'
import type { DeviceId } from '../model/device-id.js'
import type { DeviceRecord } from '../storage/sql/device-records.js'
import { type ErasureRecord, ErasureRecords } from '../storage/sql/erasure-records.js'
import { within } from '../web/within.js'
import { DeviceErasure } from './device-erasure.js'
import { DeviceRegistry } from './device-registry.js'

const TRY_AGAIN_MS = 60_000
/** A stop waits no longer: the next start does what is left. */
const STOP_AFTER_MS = 2000

/**
 * Erasures of devices, from the request to the end. Each is written down before anything is removed and crossed off when all of it
 * is gone: what a crash or a store that is away leaves half-way is finished by itself, at the next start or within a minute, unless a
 * device of its id is added before.
 */
@Injectable()
export class DeviceErasures implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('devices')
  private readonly underWay = new Map<DeviceId, Promise<boolean>>()
  private timer: NodeJS.Timeout | undefined
  private readonly stopping = new AbortController()

  constructor(
    private readonly records: ErasureRecords,
    private readonly registry: DeviceRegistry,
    private readonly erasure: DeviceErasure,
    private readonly audit: AuditLog,
    private readonly erasing: ErasingDevices,
  ) {}

  onApplicationBootstrap(): void {
    void this.finishAll()
  }

  async onModuleDestroy(): Promise<void> {
    const goesOn = 'The server is stopping: the erasure goes on after its next start'
    this.stopping.abort(new AppError('overloaded', goesOn, { retryAfterMs: TRY_AGAIN_MS }))
    clearTimeout(this.timer)
    await within(Promise.allSettled(this.underWay.values()), STOP_AFTER_MS).catch(() => undefined)
  }

  /**
   * Erases the device, also one that left the registry before and whose data is still there. It is shut out first and leaves the
   * registry last.
   * @throws AppError `not_found` when there is neither the device nor anything of it | `store_unavailable` | `overloaded`: what was asked
   * for is finished by itself if it was written down
   */
  async erase(deviceId: DeviceId, { by, address }: Pick<ErasureRecord, 'by' | 'address'>): Promise<void> {
    if (!(await this.isThere(deviceId))) throw new AppError('not_found')
    const asked = { deviceId, by, address, askedAtMs: Date.now() }
    try {
      await this.audit.change(
        ({ erasures }) => erasures.add(asked),
        (isNew) => (isNew ? { by, address, action: 'device.erase', target: deviceId } : undefined),
      )
      await this.finish((await this.records.find(deviceId)) ?? asked)
    } catch (error) {
      this.finishLater()
      throw error
    }
  }

  private async isThere(deviceId: DeviceId): Promise<boolean> {
    if ((await this.registry.find(deviceId)) !== undefined) return true
    return (await this.records.find(deviceId)) !== undefined || (await this.erasure.hasData(deviceId))
  }

  /** Two at once of one device are one. @returns false: it was given up */
  private finish(asked: ErasureRecord): Promise<boolean> {
    const { deviceId } = asked
    const underWay = this.underWay.get(deviceId)
    if (underWay !== undefined) return underWay
    const run = this.run(asked).finally(() => {
      this.erasing.end(deviceId)
      this.underWay.delete(deviceId)
    })
    this.underWay.set(deviceId, run)
    return run
  }

  private async run(asked: ErasureRecord): Promise<boolean> {
    const { deviceId } = asked
    await this.erasing.begin(deviceId)
    const device = await this.registry.find(deviceId)
    if (isAnother(device, asked)) {
      await this.records.remove(deviceId)
      return this.giveUp(deviceId)
    }
    if (device !== undefined) await this.registry.change(deviceId, { status: 'disabled' })
    await this.erasure.erase(deviceId, this.stopping.signal)
    return (await this.strikeOut(asked)) || this.giveUp(deviceId)
  }

  /** With the device, unless another server added one of its id meanwhile. @returns false: it did */
  private async strikeOut(asked: ErasureRecord): Promise<boolean> {
    const { deviceId, by, address } = asked
    let isAdded = false
    await this.registry.remove(deviceId, (write) =>
      this.audit.change(
        async ({ devices, erasures }) => {
          isAdded = isAnother(await devices.find(deviceId), asked)
          const wasThere = !isAdded && (await write(devices))
          await erasures.remove(deviceId)
          return wasThere
        },
        () =>
          isAdded ? undefined : { by, address, action: 'device.delete', target: deviceId, detail: { erase: true } },
      ),
    )
    return !isAdded
  }

  private giveUp(deviceId: DeviceId): false {
    this.logger.warn({ event: 'erasure_given_up', deviceId })
    return false
  }

  /** Never throws: what fails now is tried again, and does not hold up the others. */
  private async finishAll(): Promise<void> {
    this.timer = undefined
    const all = await this.try(() => this.records.list())
    let isFailed = all === undefined
    for (const asked of all ?? []) {
      if (this.isStopping) return
      const { deviceId } = asked
      const isFinished = await this.try(() => this.finish(asked), { deviceId })
      if (isFinished) this.logger.log({ event: 'erasure_finished', deviceId })
      isFailed ||= isFinished === undefined
    }
    if (isFailed) this.finishLater()
  }

  /** @returns undefined: it failed */
  private async try<Done>(work: () => Promise<Done>, about: { deviceId?: DeviceId } = {}): Promise<Done | undefined> {
    try {
      return await work()
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      if (!this.isStopping) this.logger.warn({ event: 'erasure_failed', ...about, reason })
      return undefined
    }
  }

  private get isStopping(): boolean {
    return this.stopping.signal.aborted
  }

  private finishLater(): void {
    if (!this.isStopping) this.timer ??= setTimeout(() => void this.finishAll(), TRY_AGAIN_MS).unref()
  }
}

/** Another device of this id, added since: what it sends is nobody's to erase. */
function isAnother(device: DeviceRecord | undefined, { askedAtMs }: ErasureRecord): boolean {
  return device !== undefined && device.createdAtMs > askedAtMs
}

import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common'
import { AuditLog } from '../identity/audit-log.js'
import { AppError } from '../model/app-error.js'
import type { DeviceId } from '../model/device-id.js'
import { type ErasureRecord, ErasureRecords } from '../storage/sql/erasure-records.js'
import { DeviceErasure } from './device-erasure.js'
import { DeviceRegistry } from './device-registry.js'

const TRY_AGAIN_MS = 60_000

/**
 * Erasures of devices, from the request to the end. Each is written down before anything is removed and crossed off when all of it
 * is gone: what a crash or a store that is away leaves half-way is finished by itself, at the next start or within a minute.
 */
@Injectable()
export class DeviceErasures implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('devices')
  private readonly underWay = new Map<DeviceId, Promise<boolean>>()
  private timer: NodeJS.Timeout | undefined
  private isStopping = false

  constructor(
    private readonly records: ErasureRecords,
    private readonly registry: DeviceRegistry,
    private readonly erasure: DeviceErasure,
    private readonly audit: AuditLog,
  ) {}

  onApplicationBootstrap(): void {
    void this.finishAll()
  }

  async onModuleDestroy(): Promise<void> {
    this.isStopping = true
    clearTimeout(this.timer)
    await Promise.allSettled(this.underWay.values())
  }

  /**
   * Erases the device, also one that left the registry before and whose data is still there. It is shut out first and leaves the
   * registry last.
   * @throws AppError `not_found` when there is neither the device nor anything of it | `store_unavailable`: what was asked for is finished
   * by itself if it was written down
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
    const run = this.run(asked).finally(() => this.underWay.delete(deviceId))
    this.underWay.set(deviceId, run)
    return run
  }

  private async run({ deviceId, by, address, askedAtMs }: ErasureRecord): Promise<boolean> {
    const device = await this.registry.find(deviceId)
    if (device !== undefined && device.createdAtMs > askedAtMs) {
      // Another device of this id, added since: what it sent is nobody's to erase.
      this.logger.warn({ event: 'erasure_given_up', deviceId })
      await this.records.remove(deviceId)
      return false
    }
    if (device !== undefined) await this.registry.change(deviceId, { status: 'disabled' })
    await this.erasure.erase(deviceId)
    await this.registry.remove(deviceId, (write) =>
      this.audit.change(
        async ({ devices, erasures }) => {
          const wasThere = await write(devices)
          await erasures.remove(deviceId)
          return wasThere
        },
        () => ({ by, address, action: 'device.delete', target: deviceId, detail: { erase: true } }),
      ),
    )
    return true
  }

  /** Never throws: what fails now is tried again. */
  private async finishAll(): Promise<void> {
    let isFailed = false
    this.timer = undefined
    try {
      for (const asked of await this.records.list()) {
        if (this.isStopping) return
        if (await this.finish(asked)) this.logger.log({ event: 'erasure_finished', deviceId: asked.deviceId })
      }
    } catch (error) {
      isFailed = true
      const reason = error instanceof Error ? error.message : String(error)
      if (!this.isStopping) this.logger.warn({ event: 'erasure_failed', reason })
    }
    if (isFailed) this.finishLater()
  }

  private finishLater(): void {
    if (!this.isStopping) this.timer ??= setTimeout(() => void this.finishAll(), TRY_AGAIN_MS).unref()
  }
}

import { Injectable } from '@nestjs/common'
import { AppError } from '../model/app-error.js'
import type { DeviceId } from '../model/device-id.js'

const RETRY_AFTER_MS = 5000

/** Ids whose data is being removed: a device added under one of them meanwhile would lose what it was told is stored. */
@Injectable()
export class ErasingDevices {
  private readonly erasing = new Set<DeviceId>()
  private readonly adding = new Map<Promise<unknown>, DeviceId>()

  /** No device of this id is added from now on, until {@link end}. Resolves when those begun before have been. */
  async begin(deviceId: DeviceId): Promise<void> {
    this.erasing.add(deviceId)
    const begun = [...this.adding].filter(([, id]) => id === deviceId)
    await Promise.allSettled(begun.map(([added]) => added))
  }

  end(deviceId: DeviceId): void {
    this.erasing.delete(deviceId)
  }

  has(deviceId: DeviceId): boolean {
    return this.erasing.has(deviceId)
  }

  /** Adds a device of this id. @throws AppError `overloaded` when it is being erased, and what `add` throws */
  async add<Added>(deviceId: DeviceId, add: () => Promise<Added>): Promise<Added> {
    if (this.has(deviceId)) {
      throw new AppError('overloaded', 'What a device of this id left is being erased', {
        retryAfterMs: RETRY_AFTER_MS,
      })
    }
    const added = add()
    this.adding.set(added, deviceId)
    try {
      return await added
    } finally {
      this.adding.delete(added)
    }
  }
}

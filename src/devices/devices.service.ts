import { Injectable } from '@nestjs/common'
import { z } from 'zod'
import { AppError } from '../model/app-error.js'
import type { DeviceId } from '../model/device-id.js'
import type { Position } from '../model/position.js'
import { Sessions } from '../sessions/sessions.js'
import { PositionStore } from '../storage/positions/position-store.js'
import { type DeviceRecord, DeviceRecords } from '../storage/sql/device-records.js'
import { Cursors, type Page } from '../web/cursor.js'
import type { DeviceJson, DeviceQueryIn } from './device.schema.js'
import { toDeviceJson } from './device-json.js'
import { DeviceSearch } from './device-search.js'

const cursors = new Cursors('devices', z.string().max(64))

/** What users are shown of the fleet. */
@Injectable()
export class DevicesService {
  constructor(
    private readonly records: DeviceRecords,
    private readonly positions: PositionStore,
    private readonly sessions: Sessions,
    private readonly search: DeviceSearch,
  ) {}

  async list({ text, online, status, kind, bbox, limit, cursor }: DeviceQueryIn): Promise<Page<DeviceJson>> {
    const filter = { text, online, statuses: status, kinds: kind, box: bbox }
    const { records, after } = await this.search.find(filter, limit, cursors.decode(cursor))
    return { items: await this.toJson(records), nextCursor: after === undefined ? null : cursors.encode(after) }
  }

  /** @throws AppError `not_found` */
  async get(deviceId: DeviceId): Promise<DeviceJson> {
    const record = await this.records.find(deviceId)
    if (record === undefined) throw new AppError('not_found')
    return this.toOne(record, await this.positions.findLatest(deviceId))
  }

  /** The change is stored, and who made it is told so, also while the positions are out of reach: without one then. */
  async showChanged(record: DeviceRecord): Promise<DeviceJson> {
    const position = await this.positions.findLatest(record.deviceId).catch((error: unknown) => {
      if (error instanceof AppError) return undefined
      throw error
    })
    return this.toOne(record, position)
  }

  private toOne(record: DeviceRecord, position: Position | undefined): DeviceJson {
    return toDeviceJson(record, this.sessions.presenceOf(record.deviceId), position)
  }

  private async toJson(records: readonly DeviceRecord[]): Promise<DeviceJson[]> {
    if (records.length === 0) return []
    const latest = await this.positions.listLatest(records.map(({ deviceId }) => deviceId))
    const positionOf = new Map(latest.map((position) => [position.deviceId, position]))
    return records.map((record) =>
      toDeviceJson(record, this.sessions.presenceOf(record.deviceId), positionOf.get(record.deviceId)),
    )
  }
}

import { Injectable } from '@nestjs/common'
import type { DeviceId } from '../model/device-id.js'
import { type BoundingBox, isInBox } from '../model/position.js'
import { Sessions } from '../sessions/sessions.js'
import { PositionStore } from '../storage/positions/position-store.js'
import { type DeviceQuery, type DeviceRecord, DeviceRecords } from '../storage/sql/device-records.js'

/** What devices are asked for; every filter that is given must hold. */
export interface DeviceFilter extends Pick<DeviceQuery, 'text' | 'statuses' | 'kinds'> {
  readonly online?: boolean | undefined
  readonly box?: BoundingBox | undefined
}

/** Devices found, ascending by id. */
export interface DevicesFound {
  readonly records: readonly DeviceRecord[]
  /** Go on after this id; undefined: that was all. */
  readonly after: DeviceId | undefined
}

/** One look at the stores: the matches among the ids it went through. */
interface Scan {
  readonly records: readonly DeviceRecord[]
  /** The last id it went through; undefined: there are no more. */
  readonly through: DeviceId | undefined
}

type Scanner = (after: DeviceId | undefined, wanted: number) => Promise<Scan>

/** Ids that one scan goes through. */
const SCAN_IDS = 500
/** Up to so many online are few: going through them costs less than going through anything else. */
const FEW_ONLINE = 1000
/** Scans of one request. Where few match among very many, a page ends short of its limit, with a cursor to go on from. */
const MAX_SCANS = 20

/**
 * Finds devices by filters whose facts live in different places: registry (text, status, kind), memory (online) and position
 * store (bbox). The place that narrows most leads, in order of ids; the others are asked about a few hundred of its ids at a
 * time. So the number of store calls and the memory of a request are bounded, whatever the filters and the size of the fleet.
 */
@Injectable()
export class DeviceSearch {
  constructor(
    private readonly records: DeviceRecords,
    private readonly positions: PositionStore,
    private readonly sessions: Sessions,
  ) {}

  /** @param after exclusive */
  async find(filter: DeviceFilter, limit: number, after: DeviceId | undefined): Promise<DevicesFound> {
    const scan = this.scannerFor(filter)
    const found: DeviceRecord[] = []
    let through = after
    for (let scans = 0; scans < MAX_SCANS; scans++) {
      const { records, through: next } = await scan(through, limit + 1 - found.length)
      found.push(...records)
      if (found.length > limit) return { records: found.slice(0, limit), after: found[limit - 1]?.deviceId }
      if (next === undefined) return { records: found, after: undefined }
      through = next
    }
    return { records: found, after: through }
  }

  private scannerFor(filter: DeviceFilter): Scanner {
    if (filter.online === true) {
      const isNarrowedElsewhere = filter.box !== undefined || inRegistry(filter).text !== undefined
      if (this.sessions.onlineCount <= FEW_ONLINE || !isNarrowedElsewhere) return this.amongOnline(filter)
    }
    if (filter.box !== undefined) return this.amongThoseInBox(filter, filter.box)
    return this.amongAll(filter)
  }

  private amongAll(filter: DeviceFilter): Scanner {
    return async (after, wanted) => {
      const limit = filter.online === undefined ? wanted : SCAN_IDS
      const rows = await this.records.list({ ...inRegistry(filter), ...afterId(after), limit })
      return {
        records: rows.filter(({ deviceId }) => this.isAsAsked(deviceId, filter)),
        through: rows.length < limit ? undefined : rows.at(-1)?.deviceId,
      }
    }
  }

  private amongOnline(filter: DeviceFilter): Scanner {
    return async (after) => {
      const ids = this.sessions.listOnline(SCAN_IDS, after)
      const asked = ids.filter((deviceId) => this.isAsAsked(deviceId, filter))
      const rows = await this.listAmong(asked, filter)
      return {
        records: filter.box === undefined ? rows : await this.keepThoseInBox(rows, filter.box),
        through: ids.length < SCAN_IDS ? undefined : ids.at(-1),
      }
    }
  }

  private amongThoseInBox(filter: DeviceFilter, box: BoundingBox): Scanner {
    return async (after) => {
      const ids = await this.positions.listDeviceIdsInBox(box, SCAN_IDS, after)
      const asked = ids.filter((deviceId) => this.isAsAsked(deviceId, filter))
      return {
        records: await this.listAmong(asked, filter),
        through: ids.length < SCAN_IDS ? undefined : ids.at(-1),
      }
    }
  }

  private async listAmong(ids: readonly DeviceId[], filter: DeviceFilter): Promise<DeviceRecord[]> {
    if (ids.length === 0) return []
    return this.records.list({ ...inRegistry(filter), among: ids, limit: ids.length })
  }

  private async keepThoseInBox(records: readonly DeviceRecord[], box: BoundingBox): Promise<DeviceRecord[]> {
    if (records.length === 0) return []
    const latest = await this.positions.listLatest(records.map(({ deviceId }) => deviceId))
    const inBox = new Set(
      latest
        .filter(
          ({ latitude, longitude }) => latitude !== null && longitude !== null && isInBox(box, latitude, longitude),
        )
        .map(({ deviceId }) => deviceId),
    )
    return records.filter(({ deviceId }) => inBox.has(deviceId))
  }

  private isAsAsked(deviceId: DeviceId, { online }: DeviceFilter): boolean {
    return online === undefined || this.sessions.presenceOf(deviceId).online === online
  }
}

function inRegistry({ text, statuses, kinds }: DeviceFilter): Pick<DeviceQuery, 'text' | 'statuses' | 'kinds'> {
  return {
    ...(text === undefined || text === '' ? {} : { text }),
    ...(statuses === undefined || statuses.length === 0 ? {} : { statuses }),
    ...(kinds === undefined || kinds.length === 0 ? {} : { kinds }),
  }
}

function afterId(deviceId: DeviceId | undefined): Pick<DeviceQuery, 'afterDeviceId'> {
  return deviceId === undefined ? {} : { afterDeviceId: deviceId }
}

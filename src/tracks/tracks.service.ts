import { Readable } from 'node:stream'
import { Injectable, Logger } from '@nestjs/common'
import { z } from 'zod'
import { AppError } from '../model/app-error.js'
import type { DeviceId } from '../model/device-id.js'
import type { Position } from '../model/position.js'
import { PositionStore, type TrackQuery } from '../storage/positions/position-store.js'
import { DeviceRecords } from '../storage/sql/device-records.js'
import { Cursors, type Page } from '../web/cursor.js'
import { type PositionJson, toPositionJson } from '../web/position-json.js'
import type { OdometerJson, RangeIn, TrackQueryIn } from './track.schema.js'
import type { TrackFile } from './track-file.js'

/** Positions that a file's stream holds at once, and that are read in one go. */
export const STREAM_PAGE = 1000

const cursors = new Cursors('track', z.tuple([z.int(), z.int().min(0)]))

type Range = Omit<TrackQuery, 'limit' | 'after'>

/** Where devices have been. */
@Injectable()
export class TracksService {
  private readonly logger = new Logger('tracks')

  constructor(
    private readonly positions: PositionStore,
    private readonly devices: DeviceRecords,
  ) {}

  /** @throws AppError `not_found` | `invalid_cursor` */
  async page(deviceId: DeviceId, query: TrackQueryIn): Promise<Page<PositionJson>> {
    const key = cursors.decode(query.cursor)
    await this.getDevice(deviceId)
    const rows = await this.positions.listTrack(deviceId, {
      ...rangeOf(query),
      limit: query.limit + 1,
      ...(key === undefined ? {} : { after: { timeMs: key[0], discriminator: key[1] } }),
    })
    return cursors.page(rows, query.limit, ({ timeMs, discriminator }) => [timeMs, discriminator], toPositionJson)
  }

  /**
   * The whole range as a file. The first page is read before this resolves, so that a store that is away is still an answer;
   * an error after that destroys the stream. Pages are read as the stream is read, one ahead.
   * @throws AppError `not_found`
   */
  async open(deviceId: DeviceId, query: TrackQueryIn, file: TrackFile): Promise<Readable> {
    const { name } = await this.getDevice(deviceId)
    const range = rangeOf(query)
    const first = await this.positions.listTrack(deviceId, { ...range, limit: STREAM_PAGE })
    return Readable.from(file.write(this.pages(deviceId, range, first), { deviceId, name }), { objectMode: false })
  }

  /** @throws AppError `not_found` */
  async measure(deviceId: DeviceId, { from, to }: RangeIn): Promise<OdometerJson> {
    await this.getDevice(deviceId)
    return this.positions.measureDistance(deviceId, rangeOf({ from, to }))
  }

  private async *pages(deviceId: DeviceId, range: Range, first: Position[]): AsyncGenerator<Position[]> {
    let page = first
    for (;;) {
      yield page
      const last = page.at(-1)
      if (last === undefined || page.length < STREAM_PAGE) return
      page = await this.next(deviceId, range, last)
    }
  }

  private async next(deviceId: DeviceId, range: Range, last: Position): Promise<Position[]> {
    const { timeMs, discriminator } = last
    try {
      return await this.positions.listTrack(deviceId, {
        ...range,
        limit: STREAM_PAGE,
        after: { timeMs, discriminator },
      })
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.logger.error({ event: 'track_stream_broken', deviceId, reason })
      throw error
    }
  }

  private async getDevice(deviceId: DeviceId) {
    const device = await this.devices.find(deviceId)
    if (device === undefined) throw new AppError('not_found')
    return device
  }
}

function rangeOf({ from, to, include }: RangeIn & Pick<TrackQueryIn, 'include'>): Range {
  return {
    includeWithoutFix: include === 'all',
    ...(from === undefined ? {} : { fromMs: from }),
    ...(to === undefined ? {} : { toMs: to }),
  }
}

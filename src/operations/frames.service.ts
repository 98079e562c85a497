import { Readable } from 'node:stream'
import { Injectable, Logger } from '@nestjs/common'
import { z } from 'zod'
import { AppError } from '../model/app-error.js'
import type { DeviceId } from '../model/device-id.js'
import { formatTime } from '../model/time.js'
import { mayGoOn, type RawFrameQuery, RawFrameStore, type StoredRawFrame } from '../storage/frames/raw-frame-store.js'
import { DeviceRecords } from '../storage/sql/device-records.js'
import { Cursors, type Page } from '../web/cursor.js'
import { frameLine, hexOf } from './frame-lines.js'
import type { FramesQueryIn, RawFrameJson } from './frames.schema.js'

/** Frames that a file's stream holds at once, and that are read in one go; some of them may be long. */
export const STREAM_PAGE = 200

const cursors = new Cursors('frames', z.tuple([z.int(), z.string().max(64)]))

type Range = Pick<RawFrameQuery, 'deviceId' | 'fromMs' | 'toMs' | 'direction'>

/** What a device said and was told, for those who want to see it byte by byte. */
@Injectable()
export class FramesService {
  private readonly logger = new Logger('frames')

  constructor(
    private readonly frames: RawFrameStore,
    private readonly devices: DeviceRecords,
  ) {}

  /** Newest first; of long frames fewer than the limit. @throws AppError `not_found` | `invalid_cursor` */
  async page(deviceId: DeviceId, query: FramesQueryIn): Promise<Page<RawFrameJson>> {
    const key = cursors.decode(query.cursor)
    await this.assertKnown(deviceId)
    const rows = await this.frames.list({
      ...rangeOf(deviceId, query),
      order: 'newest',
      limit: query.limit + 1,
      ...(key === undefined ? {} : { after: { atMs: key[0], id: key[1] } }),
    })
    const listed = rows.slice(0, query.limit)
    const last = mayGoOn(rows, query.limit + 1) ? listed.at(-1) : undefined
    return {
      items: listed.map(toJson),
      nextCursor: last === undefined ? null : cursors.encode([last.atMs, last.id]),
    }
  }

  /**
   * The whole range as lines, oldest first. The first page is read before this resolves, so that a store that is away is still an
   * answer; an error after that destroys the stream. Pages are read as the stream is read.
   * @throws AppError `not_found`
   */
  async open(deviceId: DeviceId, query: FramesQueryIn): Promise<Readable> {
    await this.assertKnown(deviceId)
    const range = rangeOf(deviceId, query)
    const first = await this.frames.list({ ...range, order: 'oldest', limit: STREAM_PAGE })
    return Readable.from(this.lines(range, first), { objectMode: false })
  }

  private async *lines(range: Range, first: StoredRawFrame[]): AsyncGenerator<string> {
    let page = first
    for (;;) {
      if (page.length > 0) yield page.map(frameLine).join('')
      const last = page.at(-1)
      if (last === undefined || !mayGoOn(page, STREAM_PAGE)) return
      page = await this.next(range, last)
    }
  }

  private async next(range: Range, { atMs, id }: StoredRawFrame): Promise<StoredRawFrame[]> {
    try {
      return await this.frames.list({ ...range, order: 'oldest', limit: STREAM_PAGE, after: { atMs, id } })
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.logger.error({ event: 'frame_stream_broken', deviceId: range.deviceId, reason })
      throw error
    }
  }

  private async assertKnown(deviceId: DeviceId): Promise<void> {
    if ((await this.devices.find(deviceId)) === undefined) throw new AppError('not_found')
  }
}

function rangeOf(deviceId: DeviceId, { from, to, direction }: FramesQueryIn): Range {
  return {
    deviceId,
    ...(from === undefined ? {} : { fromMs: from }),
    ...(to === undefined ? {} : { toMs: to }),
    ...(direction === undefined ? {} : { direction }),
  }
}

function toJson({ id, atMs, direction, protocol, link, bytes }: StoredRawFrame): RawFrameJson {
  return { id, at: formatTime(atMs), direction, protocol, link, hex: hexOf(bytes) }
}

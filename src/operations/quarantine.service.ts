import { Injectable } from '@nestjs/common'
import { z } from 'zod'
import { formatTime } from '../model/time.js'
import {
  type QuarantineQuery,
  QuarantineStore,
  type StoredQuarantinedRecord,
} from '../storage/quarantine/quarantine-store.js'
import { Cursors, type Page } from '../web/cursor.js'
import type { QuarantinedJson, QuarantineQueryIn } from './quarantine.schema.js'

const cursors = new Cursors('quarantine', z.tuple([z.int(), z.string().max(64)]))

/** Refused records, for those who want to know what a unit sends. */
@Injectable()
export class QuarantineService {
  constructor(private readonly store: QuarantineStore) {}

  /** Newest first. */
  async list(query: QuarantineQueryIn): Promise<Page<QuarantinedJson>> {
    const records = await this.store.list(toStoreQuery(query))
    return cursors.page(records, query.limit, ({ receivedAtMs, id }) => [receivedAtMs, id], toJson)
  }
}

function toStoreQuery({ deviceId, code, from, to, limit, cursor }: QuarantineQueryIn): QuarantineQuery {
  const key = cursors.decode(cursor)
  return {
    limit: limit + 1,
    ...(deviceId === undefined || deviceId.length === 0 ? {} : { deviceIds: deviceId }),
    ...(code === undefined || code.length === 0 ? {} : { codes: code }),
    ...(from === undefined ? {} : { fromMs: from }),
    ...(to === undefined ? {} : { toMs: to }),
    ...(key === undefined ? {} : { before: { receivedAtMs: key[0], id: key[1] } }),
  }
}

function toJson({ id, deviceId, ingress, code, receivedAtMs, raw }: StoredQuarantinedRecord): QuarantinedJson {
  return { id, deviceId, ingress, code, receivedAt: formatTime(receivedAtMs), raw }
}

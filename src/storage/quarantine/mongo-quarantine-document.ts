import mongoose, { type Connection, type Model } from 'mongoose'
import type { DeviceId } from '../../model/device-id.js'
import { cutRaw } from './cut-raw.js'
import { type QuarantinedRecord, QuarantineStore, type StoredQuarantinedRecord } from './quarantine-store.js'

/** One refused record. */
export interface QuarantineDocument {
  /** Grows with arrival: see {@link ArrivalIds}. */
  readonly _id: string
  readonly device: DeviceId
  readonly ingress: string
  readonly code: string
  /** Epoch milliseconds. */
  readonly received: number
  /** UTF-8; not a text, so that a NUL in it troubles nobody. */
  readonly raw: Buffer
}

const { Schema } = mongoose

const NEWEST_FIRST = { received: -1, _id: -1 } as const

const SCHEMA = new Schema<QuarantineDocument>(
  {
    _id: { type: String, required: true },
    device: { type: String, required: true },
    ingress: { type: String, required: true },
    code: { type: String, required: true },
    received: { type: Number, required: true },
    raw: { type: Buffer, required: true },
  },
  { strict: 'throw', versionKey: false, id: false, collection: 'quarantine' },
)
  .index({ device: 1, ...NEWEST_FIRST }, { name: 'by_device' })
  .index({ code: 1, ...NEWEST_FIRST }, { name: 'by_code' })
  .index(NEWEST_FIRST, { name: 'by_time' })

export function quarantineModel(connection: Connection): Model<QuarantineDocument> {
  return connection.model<QuarantineDocument>('Quarantined', SCHEMA)
}

export function toDocument(_id: string, record: QuarantinedRecord): QuarantineDocument {
  const { deviceId: device, ingress, code, receivedAtMs: received, raw } = record
  return { _id, device, ingress, code, received, raw: cutRaw(raw, QuarantineStore.RAW_BYTES) }
}

export function toRecord({ _id, device, ingress, code, received, raw }: QuarantineDocument): StoredQuarantinedRecord {
  return { id: _id, deviceId: device, ingress, code, receivedAtMs: received, raw: textOf(raw) }
}

/** Without hydration the driver's own type for bytes comes. */
function textOf(raw: Buffer | { readonly buffer: Uint8Array }): string {
  return Buffer.from(Buffer.isBuffer(raw) ? raw : raw.buffer).toString()
}

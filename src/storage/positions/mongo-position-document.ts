import mongoose, { type Connection, type Model } from 'mongoose'
import type { DeviceId } from '../../model/device-id.js'
import type { Attributes, Position } from '../../model/position.js'
import { type MomentKey, momentKey, positionId, readMomentKey, splitPositionId } from './mongo-position-key.js'

/** One position. Names are short, since every document carries them; what is null is left out. */
export interface PositionDocument {
  /** The identity: see {@link positionId}. */
  readonly _id: string
  /** Received, epoch milliseconds. */
  readonly r: number
  readonly la?: number
  readonly lo?: number
  /** Only of records without a fix. */
  readonly f?: false
  readonly al?: number
  readonly sp?: number
  readonly he?: number
  readonly ac?: number
  readonly sa?: number
  /** Attributes as JSON: any name and any text comes back as it was, lone surrogates, dots, `$` and `__proto__` too. */
  readonly at?: string
}

/** Where a device was seen last; one of each device that anything was ever stored of. */
export interface LatestDocument {
  readonly _id: DeviceId
  /** Key of its latest fix; '': none yet. */
  readonly k: MomentKey
  readonly la?: number
  readonly lo?: number
}

export interface PositionModels {
  readonly positions: Model<PositionDocument>
  readonly latest: Model<LatestDocument>
}

const { Schema } = mongoose
const STRICT = { strict: 'throw', versionKey: false, id: false } as const

const POSITION_SCHEMA = new Schema<PositionDocument>(
  {
    _id: { type: String, required: true },
    r: { type: Number, required: true },
    la: Number,
    lo: Number,
    f: Boolean,
    al: Number,
    sp: Number,
    he: Number,
    ac: Number,
    sa: Number,
    at: String,
  },
  { ...STRICT, collection: 'positions' },
)

const LATEST_SCHEMA = new Schema<LatestDocument>(
  { _id: { type: String, required: true }, k: { type: String, required: true }, la: Number, lo: Number },
  { ...STRICT, collection: 'latest' },
).index({ la: 1, lo: 1 }, { name: 'place' })

export function positionModels(connection: Connection): PositionModels {
  return {
    positions: connection.model<PositionDocument>('Position', POSITION_SCHEMA),
    latest: connection.model<LatestDocument>('Latest', LATEST_SCHEMA),
  }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

export function toDocument(position: Position): PositionDocument {
  const document: Writable<PositionDocument> = {
    _id: positionId(position.deviceId, momentKey(position.timeMs, position.discriminator)),
    r: position.receivedAtMs,
  }
  if (position.latitude !== null) document.la = position.latitude
  if (position.longitude !== null) document.lo = position.longitude
  if (!position.hasFix) document.f = false
  if (position.altitudeM !== null) document.al = position.altitudeM
  if (position.speedKmh !== null) document.sp = position.speedKmh
  if (position.headingDeg !== null) document.he = position.headingDeg
  if (position.accuracyM !== null) document.ac = position.accuracyM
  if (position.satellites !== null) document.sa = position.satellites
  if (position.attributes !== null) document.at = JSON.stringify(position.attributes)
  return document
}

export function toPosition(document: PositionDocument): Position {
  const { deviceId, moment } = splitPositionId(document._id)
  const { timeMs, discriminator } = readMomentKey(moment)
  return {
    deviceId,
    timeMs,
    discriminator,
    receivedAtMs: document.r,
    latitude: document.la ?? null,
    longitude: document.lo ?? null,
    hasFix: document.f !== false,
    altitudeM: document.al ?? null,
    speedKmh: document.sp ?? null,
    headingDeg: document.he ?? null,
    accuracyM: document.ac ?? null,
    satellites: document.sa ?? null,
    attributes: document.at === undefined ? null : (JSON.parse(document.at) as Attributes),
  }
}

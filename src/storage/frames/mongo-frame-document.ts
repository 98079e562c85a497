import { randomBytes } from 'node:crypto'
import mongoose, { type Connection, type Model } from 'mongoose'
import { positionId as deviceKey, firstKeyAt, readMomentKey, splitPositionId } from '../positions/mongo-position-key.js'
import { frameId } from './frame-id.js'
import type { RawFrame, StoredRawFrame } from './raw-frame-store.js'

/** One frame. Names are short, since every document carries them. */
export interface FrameDocument {
  /** `<device>/<id of the frame>`. */
  readonly _id: string
  /** Epoch milliseconds, for the removal by age. */
  readonly t: number
  /** Only of frames that went out. */
  readonly o?: true
  readonly p: string
  readonly l: string
  readonly b: Buffer
}

/** What one process kept of one slice of time, about. */
export interface FrameSizeDocument {
  /** `<slice>/<process>`. */
  readonly _id: string
  /** Number of the slice. */
  readonly s: number
  readonly bytes: number
}

export interface FrameModels {
  readonly frames: Model<FrameDocument>
  readonly sizes: Model<FrameSizeDocument>
}

const { Schema } = mongoose
const STRICT = { strict: 'throw', versionKey: false, id: false } as const
const NODE_BYTES = 3
/** More frames than a process takes in a millisecond, on the whole; the count has 48 bits. */
const COUNTS_PER_MS = 64
const TIME_DIGITS = 9
const ARRIVAL_DIGITS = 8

const FRAME_SCHEMA = new Schema<FrameDocument>(
  {
    _id: { type: String, required: true },
    t: { type: Number, required: true },
    o: Boolean,
    p: { type: String, required: true },
    l: { type: String, required: true },
    b: { type: Buffer, required: true },
  },
  { ...STRICT, collection: 'frames' },
).index({ t: 1 }, { name: 'by_time' })

const SIZE_SCHEMA = new Schema<FrameSizeDocument>(
  {
    _id: { type: String, required: true },
    s: { type: Number, required: true },
    bytes: { type: Number, required: true },
  },
  { ...STRICT, collection: 'frame_sizes' },
)

export function frameModels(connection: Connection): FrameModels {
  return {
    frames: connection.model<FrameDocument>('Frame', FRAME_SCHEMA),
    sizes: connection.model<FrameSizeDocument>('FrameSize', SIZE_SCHEMA),
  }
}

/**
 * Gives frames their identities: moment, then a count, then what tells this process from others. The count goes on from where the clock
 * stood at the start, so that it grows over a restart too: frames of one unit come in the order of their arrival, and those of several
 * nodes never meet.
 */
export class FrameIdentities {
  private readonly node = randomBytes(NODE_BYTES).toString('base64url')
  private count = Date.now() * COUNTS_PER_MS

  /** What tells this process from others. */
  get process(): string {
    return this.node
  }

  toDocument(frame: RawFrame): FrameDocument {
    const { deviceId, atMs: t, direction, protocol: p, link: l, bytes } = frame
    const _id = deviceKey(deviceId, frameId(t, ++this.count) + this.node)
    const b = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    return direction === 'out' ? { _id, t, o: true, p, l, b } : { _id, t, p, l, b }
  }
}

export function toFrame({ _id, o, p, l, b }: FrameDocument): StoredRawFrame {
  const { deviceId, moment: id } = splitPositionId(_id)
  return {
    id,
    deviceId,
    atMs: readMomentKey(id.slice(0, TIME_DIGITS + ARRIVAL_DIGITS)).timeMs,
    direction: o === true ? 'out' : 'in',
    protocol: p,
    link: l,
    bytes: b,
  }
}

/** At or after it is every frame of the device at or after the moment. */
export function firstFrameAt(deviceId: string, atMs: number): string {
  return deviceKey(deviceId, firstKeyAt(atMs))
}

/** The document of a frame that was listed. */
export function documentId(deviceId: string, id: string): string {
  return deviceKey(deviceId, id)
}

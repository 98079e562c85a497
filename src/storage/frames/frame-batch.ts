import type { DeviceId } from '../../model/device-id.js'
import type { RawFrame } from './raw-frame-store.js'

/** What frames of one connection have in common. */
export interface FrameLink {
  readonly protocol: string
  readonly name: string
}

/** Frames on their way between threads: numbers and bytes in two buffers, which move instead of being copied, and the few texts. */
export interface FrameBatch {
  /** Distinct ids. */
  readonly devices: readonly DeviceId[]
  /** Distinct ones. */
  readonly links: readonly FrameLink[]
  /** `FRAME_WIDTH` numbers a frame, in the order of `FRAME_COLUMN`. */
  readonly numbers: Float64Array<ArrayBuffer>
  /** Those of all frames, one after the other. */
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** Where a frame has what; `device` and `link` are indexes into the lists of the batch, `end` is that of its bytes. */
export const FRAME_COLUMN = { device: 0, time: 1, link: 2, isOut: 3, end: 4, arrival: 5 } as const

export const FRAME_WIDTH = 6

/** A frame with its place in the order of arrival, if it has one yet. */
export type ArrivedFrame = RawFrame & { readonly arrival?: number }

export function packFrames(frames: readonly ArrivedFrame[]): FrameBatch {
  const numbers = new Float64Array(frames.length * FRAME_WIDTH)
  const bytes = new Uint8Array(frames.reduce((sum, frame) => sum + frame.bytes.length, 0))
  const devices = new Distinct<DeviceId>()
  const links = new Distinct<FrameLink>()
  let at = 0
  let end = 0
  for (const frame of frames) {
    const { deviceId, atMs, direction, protocol, link: name, arrival = Number.NaN } = frame
    bytes.set(frame.bytes, end)
    end += frame.bytes.length
    numbers[at + FRAME_COLUMN.device] = devices.indexOf(deviceId, deviceId)
    numbers[at + FRAME_COLUMN.time] = atMs
    numbers[at + FRAME_COLUMN.link] = links.indexOf(`${protocol} ${name}`, { protocol, name })
    numbers[at + FRAME_COLUMN.isOut] = direction === 'out' ? 1 : 0
    numbers[at + FRAME_COLUMN.end] = end
    numbers[at + FRAME_COLUMN.arrival] = arrival
    at += FRAME_WIDTH
  }
  return { devices: devices.items, links: links.items, numbers, bytes }
}

export function unpackFrames({ devices, links, numbers, bytes }: FrameBatch): Array<Required<ArrivedFrame>> {
  const frames: Array<Required<ArrivedFrame>> = []
  let start = 0
  for (let at = 0; at < numbers.length; at += FRAME_WIDTH) {
    const value = (column: number) => numbers[at + column] ?? Number.NaN
    const end = value(FRAME_COLUMN.end)
    const link = links[value(FRAME_COLUMN.link)]
    frames.push({
      deviceId: devices[value(FRAME_COLUMN.device)] ?? '',
      atMs: value(FRAME_COLUMN.time),
      direction: value(FRAME_COLUMN.isOut) === 1 ? 'out' : 'in',
      protocol: link?.protocol ?? '',
      link: link?.name ?? '',
      bytes: bytes.subarray(start, end),
      arrival: value(FRAME_COLUMN.arrival),
    })
    start = end
  }
  return frames
}

class Distinct<T> {
  readonly items: T[] = []
  private readonly indexes = new Map<string, number>()

  indexOf(key: string, item: T): number {
    const known = this.indexes.get(key)
    if (known !== undefined) return known
    this.indexes.set(key, this.items.length)
    return this.items.push(item) - 1
  }
}

import type { DeviceId } from '../../model/device-id.js'
import type { Attributes, Position } from '../../model/position.js'

/**
 * Positions on their way between threads: the numbers of all rows in one buffer, which moves instead of being copied, and
 * the texts beside it, each list as one (see {@link joinTexts}). NaN stands for null.
 */
export interface PositionBatch {
  /** Distinct ids. */
  readonly devices: string
  /** Attributes as JSON, of those rows that have any. */
  readonly attributes: string
  /** `BATCH_WIDTH` numbers a row, in the order of `BATCH_COLUMN`. */
  readonly numbers: Float64Array<ArrayBuffer>
  /** Rows that are parts of their records, ascending; absent: none. */
  readonly parts?: readonly number[]
}

/** Where a row has what; `device` and `attributes` are indexes into the lists of the batch. */
export const BATCH_COLUMN = {
  device: 0,
  time: 1,
  discriminator: 2,
  received: 3,
  latitude: 4,
  longitude: 5,
  hasFix: 6,
  altitude: 7,
  speed: 8,
  heading: 9,
  accuracy: 10,
  satellites: 11,
  attributes: 12,
} as const

export const BATCH_WIDTH = 13

/** Bits of the answer to an append, one byte for each row. */
export const IS_NEW = 1
export const IS_LATEST = 2
export const IS_TOO_LARGE = 4

/**
 * Many texts as one: to copy each of them to another thread costs a microsecond or more.
 * @param texts none of them empty or with a line feed, as neither ids nor JSON are
 */
export function joinTexts(texts: readonly string[]): string {
  return texts.join('\n')
}

export function splitTexts(joined: string): string[] {
  return joined === '' ? [] : joined.split('\n')
}

export function packPositions(positions: readonly Position[]): PositionBatch {
  const numbers = new Float64Array(positions.length * BATCH_WIDTH)
  const attributes: string[] = []
  const indexes = new Map<DeviceId, number>()
  const parts: number[] = []
  let at = 0
  for (const position of positions) {
    if (position.isPart) parts.push(at / BATCH_WIDTH)
    let device = indexes.get(position.deviceId)
    if (device === undefined) {
      device = indexes.size
      indexes.set(position.deviceId, device)
    }
    numbers[at++] = device
    numbers[at++] = position.timeMs
    numbers[at++] = position.discriminator
    numbers[at++] = position.receivedAtMs
    numbers[at++] = position.latitude ?? Number.NaN
    numbers[at++] = position.longitude ?? Number.NaN
    numbers[at++] = position.hasFix ? 1 : 0
    numbers[at++] = position.altitudeM ?? Number.NaN
    numbers[at++] = position.speedKmh ?? Number.NaN
    numbers[at++] = position.headingDeg ?? Number.NaN
    numbers[at++] = position.accuracyM ?? Number.NaN
    numbers[at++] = position.satellites ?? Number.NaN
    numbers[at++] = position.attributes === null ? Number.NaN : attributes.push(JSON.stringify(position.attributes)) - 1
  }
  const batch = { devices: joinTexts([...indexes.keys()]), attributes: joinTexts(attributes), numbers }
  return parts.length === 0 ? batch : { ...batch, parts }
}

export function unpackPositions({ numbers, ...texts }: PositionBatch): Position[] {
  const [devices, attributes] = [splitTexts(texts.devices), splitTexts(texts.attributes)]
  const positions: Position[] = []
  for (let at = 0; at < numbers.length; at += BATCH_WIDTH) {
    const value = (column: number): number => numbers[at + column] ?? Number.NaN
    const orNull = (column: number): number | null => (Number.isNaN(value(column)) ? null : value(column))
    const attributesText = attributes[value(BATCH_COLUMN.attributes)]
    positions.push({
      deviceId: devices[value(BATCH_COLUMN.device)] ?? '',
      timeMs: value(BATCH_COLUMN.time),
      discriminator: value(BATCH_COLUMN.discriminator),
      receivedAtMs: value(BATCH_COLUMN.received),
      latitude: orNull(BATCH_COLUMN.latitude),
      longitude: orNull(BATCH_COLUMN.longitude),
      hasFix: value(BATCH_COLUMN.hasFix) === 1,
      altitudeM: orNull(BATCH_COLUMN.altitude),
      speedKmh: orNull(BATCH_COLUMN.speed),
      headingDeg: orNull(BATCH_COLUMN.heading),
      accuracyM: orNull(BATCH_COLUMN.accuracy),
      satellites: orNull(BATCH_COLUMN.satellites),
      attributes: attributesText === undefined ? null : (JSON.parse(attributesText) as Attributes),
    })
  }
  return positions
}

import { ByteReader } from '../byte-reader.js'

/** One tag with its value as it lies in the packet. */
export interface Tag {
  readonly tag: number
  readonly value: Buffer
  readonly start: number
  readonly end: number
}

/** The tags of a packet, and where the rest begins if one of them is unknown: nobody knows how long that is. */
export interface Tags {
  readonly tags: readonly Tag[]
  /** Where the first unknown tag stands; undefined: there is none. */
  readonly unreadFrom: number | undefined
}

const of = (length: number, ...tags: readonly number[]): [number, number][] => tags.map((tag) => [tag, length])
const upTo = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i)

/** Bytes of the values that always have the same, by tag. */
const LENGTHS: ReadonlyMap<number, number> = new Map([
  ...of(1, 0x01, 0x02, 0x35, 0x43, ...upTo(0x88, 0x8c), ...upTo(0xa0, 0xaf), ...upTo(0xc4, 0xd2), 0xd5),
  ...of(2, 0x04, 0x10, 0x34, 0x40, 0x41, 0x42, 0x45, 0x46, 0x48, ...upTo(0x50, 0x59), ...upTo(0x60, 0x62)),
  ...of(2, ...upTo(0x70, 0x77), ...upTo(0xb0, 0xb9), ...upTo(0xd6, 0xda)),
  ...of(3, 0x5d, ...upTo(0x63, 0x6f), ...upTo(0x80, 0x87), 0xfa),
  ...of(4, 0x20, 0x33, 0x44, 0x47, 0x5a, 0x90, ...upTo(0xc0, 0xc3), 0xd3, 0xd4, ...upTo(0xdb, 0xdf)),
  ...of(4, 0xe0, ...upTo(0xe2, 0xe9), ...upTo(0xf0, 0xf9)),
  ...of(8, 0xfd),
  ...of(9, 0x30),
  ...of(15, 0x03),
  ...of(68, 0x5c),
])
/** Text, user array, binary part of an answer: a byte with the length comes first. */
const WITH_LENGTH_BYTE: ReadonlySet<number> = new Set([0xe1, 0xea, 0xeb])
const EXTENDED = 0xfe
const REFRIGERATOR = 0x5b
const REFRIGERATOR_HEAD = 7
/** Bytes that follow for each bit of a refrigerator's status that is set. */
const REFRIGERATOR_BLOCKS = [0, 10, 10, 10, 2, 2, 2, 2, 2, 2, 32, 20, 12, 2, 2]

/** @throws DecodeError `bad_structure` when a value is cut short */
export function splitTags(bytes: Buffer, start: number, end: number): Tags {
  const reader = new ByteReader(bytes, start, end)
  const tags: Tag[] = []
  while (reader.left > 0) {
    const tagStart = reader.offset
    const tag = reader.uint8()
    const value = takeValue(reader, tag, bytes)
    if (value === undefined) return { tags, unreadFrom: tagStart }
    tags.push({ tag, value, start: tagStart, end: reader.offset })
  }
  return { tags, unreadFrom: undefined }
}

function takeValue(reader: ByteReader, tag: number, bytes: Buffer): Buffer | undefined {
  const length = LENGTHS.get(tag)
  if (length !== undefined) return reader.slice(length)
  if (WITH_LENGTH_BYTE.has(tag)) return reader.slice(reader.uint8())
  if (tag === EXTENDED) return reader.slice(reader.uint16Le())
  if (tag !== REFRIGERATOR) return undefined
  const { offset } = reader
  const status = reader.slice(REFRIGERATOR_HEAD).readUInt16LE(1)
  reader.slice(REFRIGERATOR_BLOCKS.reduce((sum, block, bit) => sum + (status & (1 << bit) ? block : 0), 0))
  return bytes.subarray(offset, reader.offset)
}

import {
  mayGoOn,
  type RawFrame,
  type RawFrameQuery,
  type RawFrameStore,
  type StoredRawFrame,
} from './raw-frame-store.js'

export const NOON_MS = Date.UTC(2026, 4, 17, 12)

/** What makes a difference between what is stored and what comes back, if anything does. */
export const SAMPLE_LINK = 'tcp:203.0.113.7:40112#17'

export function sampleFrame(changes: Partial<RawFrame> = {}): RawFrame {
  return {
    deviceId: 'truck-1',
    atMs: NOON_MS,
    direction: 'in',
    protocol: 'teltonika',
    link: SAMPLE_LINK,
    bytes: Buffer.from('000000000000003608010000016b40d8ea30', 'hex'),
    ...changes,
  }
}

/** Frames that tell themselves apart by their bytes: the number of each, in so many moments apart. */
export function numberedFrames(count: number, changes: (index: number) => Partial<RawFrame>): RawFrame[] {
  return Array.from({ length: count }, (_, index) => sampleFrame({ bytes: numberBytes(index), ...changes(index) }))
}

export function numberBytes(number: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, number)
  return bytes
}

export function numberOf({ bytes }: Pick<RawFrame, 'bytes'>): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0)
}

/** Plain, so that one comparison covers everything but the id. */
export function plain({ bytes, ...frame }: RawFrame | StoredRawFrame): object {
  return { ...frame, bytes: Buffer.from(bytes).toString('hex') }
}

/** All that a query finds, page by page. */
export async function listAll(
  store: RawFrameStore,
  query: Omit<RawFrameQuery, 'limit' | 'after'>,
  limit = 1000,
): Promise<StoredRawFrame[]> {
  const found: StoredRawFrame[] = []
  for (;;) {
    const page: StoredRawFrame[] = await store.list({ ...query, limit, after: found.at(-1) })
    found.push(...page)
    if (!mayGoOn(page, limit)) return found
  }
}

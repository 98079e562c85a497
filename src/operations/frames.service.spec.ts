import { MemoryRawFrameStore } from '../../test/stores/memory-raw-frame-store.js'
import type { RawFrame } from '../storage/frames/raw-frame-store.js'
import type { DeviceRecords } from '../storage/sql/device-records.js'
import { framesQueryIn } from './frames.schema.js'
import { FramesService } from './frames.service.js'

const IMEI = '356307042441013'

/** As long as any is. */
const longFrame = (atMs: number): RawFrame => ({
  deviceId: IMEI,
  atMs,
  direction: 'in',
  protocol: 'socket',
  link: 'socket#1',
  bytes: new Uint8Array(65_536),
})

describe('frames of a device', () => {
  let store: MemoryRawFrameStore
  let service: FramesService

  beforeEach(async () => {
    store = new MemoryRawFrameStore()
    service = new FramesService(store, { find: async () => ({}) } as unknown as DeviceRecords)
    await store.keep(Array.from({ length: 40 }, (_, n) => longFrame(n)))
  })

  it('come in pages of a mebibyte at most where they are long, whatever the limit', async () => {
    const ask = (cursor?: string | null) =>
      service.page(IMEI, framesQueryIn.parse({ limit: '500', ...(cursor && { cursor }) }))
    const first = await ask()
    const second = await ask(first.nextCursor)
    const third = await ask(second.nextCursor)
    const pages = [first, second, third]
    expect(pages.map(({ items }) => items.length)).toEqual([16, 16, 8])
    expect(third.nextCursor).toBeNull()
    expect(new Set(pages.flatMap(({ items }) => items.map(({ at }) => at))).size).toBe(40)
  })

  it('come as many as the limit says where that is less', async () => {
    const { items, nextCursor } = await service.page(IMEI, framesQueryIn.parse({ limit: '3' }))
    expect([items.length, typeof nextCursor]).toEqual([3, 'string'])
  })

  it('come as a whole file, however long they are', async () => {
    const chunks: string[] = []
    for await (const chunk of await service.open(IMEI, framesQueryIn.parse({}))) chunks.push(String(chunk))
    expect(chunks.join('').split('\n')).toHaveLength(41)
  })
})

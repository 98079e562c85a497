import { setTimeout as sleep } from 'node:timers/promises'
import { MEBIBYTE } from './blob-samples.contract.js'
import { MemoryShare } from './memory-share.js'
import { S3PartWriter } from './s3-part-writer.js'
import type { S3UploadPlace } from './s3-upload-place.js'
import type { Piece } from './s3-upload-state.js'

/** Remembers what was sent. */
class FakePlace {
  readonly partsEnd = 0
  readonly pieces: readonly Piece[] = []
  readonly parts: [number, number][] = []
  readonly stored = new Map<string, Buffer>()
  peekNumber: number
  sending = 0
  mostSending = 0

  constructor(firstNumber = 1) {
    this.peekNumber = firstNumber
  }

  takeNumber(): number {
    return this.peekNumber++
  }

  async storePiece({ start, end }: Piece, chunks: readonly Uint8Array[]): Promise<void> {
    this.stored.set(`${start}-${end}`, Buffer.concat(chunks))
  }

  async readPiece({ start, end }: Piece): Promise<Buffer> {
    return this.stored.get(`${start}-${end}`) ?? Buffer.alloc(0)
  }

  async removePieces(pieces: readonly Piece[]): Promise<void> {
    for (const { start, end } of pieces) this.stored.delete(`${start}-${end}`)
  }

  async sendPart(number: number, chunks: readonly Uint8Array[]): Promise<string> {
    this.mostSending = Math.max(this.mostSending, ++this.sending)
    await sleep(10)
    this.sending--
    this.parts.push([number, Buffer.concat(chunks).length])
    return 'etag'
  }
}

describe('bytes on their way into parts', () => {
  const told: number[] = []
  const writerOf = (place: FakePlace, flushAfterMs = 60_000) =>
    new S3PartWriter(
      place as never as S3UploadPlace,
      new MemoryShare(),
      0,
      (bytes) => void told.push(bytes),
      flushAfterMs,
    )

  beforeEach(() => {
    told.length = 0
  })

  it('are stored when they have waited long, also while nothing more comes, and only what is new', async () => {
    const place = new FakePlace()
    const writer = writerOf(place, 20)
    await writer.take(Buffer.from('abc'))
    expect(told).toEqual([])
    await sleep(100)
    expect(told).toEqual([3])
    await writer.take(Buffer.from('de'))
    await sleep(100)

    expect(told).toEqual([3, 5])
    expect([...place.stored.keys()]).toEqual(['0-3', '3-5'])
    expect(await writer.finish()).toBe(5)
    expect(told).toEqual([3, 5])
  })

  it('are parts of 8 MiB of whole chunks, two on their way at most', async () => {
    const place = new FakePlace()
    const writer = writerOf(place)
    for (let i = 0; i < 14; i++) await writer.take(Buffer.alloc(3 * MEBIBYTE))
    await writer.finish()

    expect(place.parts.sort(([a], [b]) => a - b)).toEqual([1, 2, 3, 4].map((number) => [number, 9 * MEBIBYTE]))
    expect(place.mostSending).toBe(2)
    expect(told).toEqual([9, 18, 27, 36, 42].map((mebibytes) => mebibytes * MEBIBYTE))
    expect([...place.stored.keys()]).toEqual([`${36 * MEBIBYTE}-${42 * MEBIBYTE}`])
  })

  it.each([
    ['in one piece', 3],
    ['in parts and a piece', 20 * MEBIBYTE],
  ])('give their memory back when they are stored: %s', async (_, bytes) => {
    const memory = new MemoryShare()
    const writer = new S3PartWriter(new FakePlace() as never as S3UploadPlace, memory, 0)
    for (let left = bytes; left > 0; left -= MEBIBYTE) await writer.take(Buffer.alloc(Math.min(left, MEBIBYTE)))
    await writer.finish()

    expect(Reflect.get(memory, 'heldBytes')).toBe(0)
    await writer.stop(new Error('the source broke off'))
    expect(Reflect.get(memory, 'heldBytes')).toBe(0)
  })

  it.each([
    [1, 8],
    [1000, 16],
    [2000, 32],
    [3000, 64],
    [9000, 64],
  ])('are parts that grow, so that 10,000 are enough: part %d has %d MiB', async (number, mebibytes) => {
    const place = new FakePlace(number)
    const writer = writerOf(place)
    for (let i = 0; i < mebibytes; i++) await writer.take(Buffer.alloc(MEBIBYTE))
    await writer.finish()

    expect(place.parts).toEqual([[number, mebibytes * MEBIBYTE]])
  })

  it('are few pieces, however many small ones came', async () => {
    const place = new FakePlace()
    const memory = new MemoryShare(1)
    memory.enter()
    const writer = new S3PartWriter(place as never as S3UploadPlace, memory, 0)
    for (let i = 0; i < 500; i++) await writer.take(Buffer.alloc(1000, i))
    expect(await writer.finish()).toBe(500_000)

    expect(place.stored.size).toBeLessThanOrEqual(48)
    const sorted = [...place.stored].sort(([a], [b]) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
    const sent = Buffer.concat(Array.from({ length: 500 }, (_, i) => Buffer.alloc(1000, i)))
    expect(Buffer.concat(sorted.map(([, bytes]) => bytes)).equals(sent)).toBe(true)
  })
})

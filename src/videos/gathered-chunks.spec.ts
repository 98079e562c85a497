import { setTimeout as sleep } from 'node:timers/promises'
import { gatherChunks } from './gathered-chunks.js'

async function* chunksOf(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}

describe('chunks that are put together', () => {
  const sizesOf = async (source: AsyncIterable<Uint8Array>, waitMs?: number) => {
    const sizes: number[] = []
    for await (const chunk of gatherChunks(source, waitMs)) sizes.push(chunk.byteLength)
    return sizes
  }
  const bytesOf = async (source: AsyncIterable<Uint8Array>) => {
    const chunks: Uint8Array[] = []
    for await (const chunk of gatherChunks(source)) chunks.push(chunk)
    return Buffer.concat(chunks)
  }

  it('are few, however small they came', async () => {
    const single = Array.from({ length: 150_000 }, (_, i) => Buffer.of(i % 251))

    expect(await sizesOf(chunksOf(single), 60_000)).toEqual([65_536, 65_536, 18_928])
    expect((await bytesOf(chunksOf(single))).equals(Buffer.concat(single))).toBe(true)
  })

  it('are left as they are when they are large, and stay in their order', async () => {
    const sizes = [1, 20_000, 65_536, 100, 16_383, 16_384, 1_000_000, 0, 5]
    const chunks = sizes.map((size, i) => Buffer.alloc(size, i + 1))

    expect(await sizesOf(chunksOf(chunks))).toEqual([1, 20_000, 65_536, 16_483, 16_384, 1_000_000, 5])
    expect((await bytesOf(chunksOf(chunks))).equals(Buffer.concat(chunks))).toBe(true)
  })

  it('do not wait long for more', async () => {
    async function* slow(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('ab')
      yield Buffer.from('c')
      await sleep(300)
      yield Buffer.from('de')
    }

    expect(await sizesOf(slow(), 50)).toEqual([3, 2])
  })

  it('come before the error that ended them', async () => {
    const reset = new Error('reset')
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('abc')
      throw reset
    }
    const chunks = gatherChunks(broken())

    expect(Buffer.from((await chunks.next()).value ?? []).toString()).toBe('abc')
    await expect(chunks.next()).rejects.toBe(reset)
  })

  it('let go of their source when nobody wants more, also while it sends nothing', async () => {
    let isReturned = false
    const silent: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => {
        let count = 0
        return {
          next: () => (count++ === 0 ? Promise.resolve({ value: Buffer.from('abc') }) : new Promise(() => undefined)),
          return: async () => {
            isReturned = true
            return { value: undefined, done: true }
          },
        }
      },
    }
    for await (const chunk of gatherChunks(silent, 20)) {
      expect(chunk.byteLength).toBe(3)
      break
    }

    expect(isReturned).toBe(true)
  })
})

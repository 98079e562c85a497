import type { FileHandle } from 'node:fs/promises'
import { DurableWriter } from './durable-writer.js'

const MEBIBYTE = 1_048_576

/** A file whose disk writes as much as it likes, and fails when told to. */
class MoodyFile {
  readonly content: number[] = []
  readonly calls: string[] = []
  shortBy = 0
  writeError: Error | undefined
  syncError: Error | undefined

  async writev(chunks: readonly Uint8Array[], position: number): Promise<{ bytesWritten: number }> {
    if (this.writeError) throw this.writeError
    const bytes = Buffer.concat(chunks)
    const bytesWritten = Math.max(1, bytes.length - this.shortBy)
    this.calls.push(`write ${position}+${bytesWritten}`)
    for (let i = 0; i < bytesWritten; i++) this.content[position + i] = bytes[i] ?? -1
    return { bytesWritten }
  }

  async datasync(): Promise<void> {
    if (this.syncError) throw this.syncError
    this.calls.push('sync')
  }
}

const systemError = (code: string, errno: number) => Object.assign(new Error(`${code}: here`), { code, errno })

describe('DurableWriter', () => {
  let file: MoodyFile
  let told: number[]
  let writer: DurableWriter

  beforeEach(() => {
    file = new MoodyFile()
    told = []
    writer = new DurableWriter(file as unknown as FileHandle, 0, (bytes) => {
      told.push(bytes)
      file.calls.push(`tell ${bytes}`)
    })
  })

  it('writes, syncs and only then tells', async () => {
    await writer.take(Buffer.from('abc'))
    expect(await writer.finish()).toBe(3)

    expect(file.calls).toEqual(['write 0+3', 'sync', 'tell 3'])
  })

  it('goes on when the disk takes less than it was given', async () => {
    file.shortBy = 3
    await writer.take(Buffer.from('abc'))
    await writer.take(Buffer.from('defg'))
    expect(await writer.finish()).toBe(7)

    expect(Buffer.from(file.content).toString()).toBe('abcdefg')
    expect(told).toEqual([7])
  })

  it('does not say the same twice', async () => {
    await writer.take(Buffer.alloc(8 * MEBIBYTE))
    expect(told).toEqual([8 * MEBIBYTE])
    expect(await writer.finish()).toBe(8 * MEBIBYTE)

    expect(told).toEqual([8 * MEBIBYTE])
  })

  it('syncs after some seconds although little came', async () => {
    jest.useFakeTimers()
    try {
      writer = new DurableWriter(file as unknown as FileHandle, 10, (bytes) => {
        told.push(bytes)
      })
      await writer.take(Buffer.from('ab'))
      expect(told).toEqual([])
      jest.advanceTimersByTime(5000)
      await writer.take(Buffer.from('c'))
      expect(told).toEqual([13])
      await writer.take(Buffer.from('d'))
      expect(told).toEqual([13])
      expect(await writer.finish()).toBe(14)
    } finally {
      jest.useRealTimers()
    }
  })

  it.each([
    ['ENOSPC', -28, 'disk_full', 'blobs: no space left on device (ENOSPC)'],
    ['EDQUOT', -122, 'disk_full', 'blobs: refused (EDQUOT)'],
    ['EIO', -5, 'store_unavailable', 'blobs: i/o error (EIO)'],
  ])('tells nothing when a write fails with %s', async (code, errno, appCode, message) => {
    await writer.take(Buffer.alloc(MEBIBYTE))
    file.writeError = systemError(code, errno)
    const outcome = (async () => {
      await writer.take(Buffer.alloc(MEBIBYTE))
      await writer.finish()
    })()

    await expect(outcome).rejects.toMatchObject({ code: appCode, message })
    await expect(writer.finish()).rejects.toMatchObject({ code: appCode })
    expect(told).toEqual([])
  })

  it('tells nothing when the sync fails, and never again', async () => {
    await writer.take(Buffer.from('abc'))
    file.syncError = systemError('EIO', -5)
    await expect(writer.finish()).rejects.toMatchObject({ code: 'store_unavailable' })
    file.syncError = undefined

    // The system forgets after a failed sync that the bytes are not on disk: the next one proves nothing.
    await expect(writer.finish()).rejects.toMatchObject({ code: 'store_unavailable' })
    expect(told).toEqual([])
  })
})

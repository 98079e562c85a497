import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { UploadState } from './upload-state.js'

const HEAD = Buffer.concat([Buffer.from('\0\0\0\x18ftypisom', 'latin1'), Buffer.alloc(200)])

describe('UploadState', () => {
  it('tells the type and the hash of a file, wherever it was saved and loaded on the way', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 }), async (pieces) => {
        let state = await UploadState.begin()
        for (const piece of [HEAD, ...pieces].flatMap((one) => [one.subarray(0, 20), one.subarray(20)])) {
          await state.take(piece)
          const loaded = await UploadState.load(state.save())
          if (loaded === undefined) throw new Error('not readable')
          state = loaded
        }
        const sha256 = createHash('sha256')
          .update(Buffer.concat([HEAD, ...pieces]))
          .digest('hex')
        expect(await state.end()).toEqual({ mediaType: 'video/mp4', sha256 })
      }),
      { numRuns: 30 },
    )
  })

  it('knows a state that it did not save', async () => {
    expect(await UploadState.load('')).toBeUndefined()
    expect(await UploadState.load(Buffer.alloc(300, 7).toString('base64'))).toBeUndefined()
  })

  it('refuses what is no video, across being saved, once that is clear', async () => {
    const state = await UploadState.begin()
    await state.take(Buffer.alloc(1000, 'x'))
    const loaded = await UploadState.load(state.save())
    await expect(loaded?.take(Buffer.alloc(30, 'x'))).rejects.toMatchObject({ code: 'unsupported_media' })
    const short = await UploadState.begin()
    await short.take(Buffer.alloc(10, 'x'))
    await expect(short.end()).rejects.toMatchObject({ code: 'unsupported_media' })
  })
})

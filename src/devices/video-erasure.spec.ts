import { removeTemporaryDirectories, temporaryDirectory } from '../../test/support/temporary-directory.js'
import { fileKeyOf, thumbnailKeyOf } from '../model/video-keys.js'
import { type DirectoryBlobStore, openDirectoryBlobs } from '../storage/blobs/directory-blob-store.js'
import { openSqliteRecords } from '../storage/sql/open-sqlite-records.js'
import type { SqlRecords } from '../storage/sql/records-of.js'
import { VideoErasure } from './video-erasure.js'

const T = 1_700_000_000_123

describe('VideoErasure', () => {
  let records: SqlRecords
  let blobs: DirectoryBlobStore
  let erasure: VideoErasure

  beforeEach(async () => {
    const directory = temporaryDirectory()
    records = await openSqliteRecords({ directory })
    blobs = await openDirectoryBlobs({ directory })
    erasure = new VideoErasure(records.videos, records.uploads, records.directUploads, blobs)
  })
  afterEach(async () => {
    await blobs.close()
    await records.store.close()
  })
  afterAll(removeTemporaryDirectories)

  async function reserve(deviceId: string, fileName: string) {
    const blobUploadId = await blobs.beginUpload('truck/clip')
    const id = `${deviceId}-${fileName}`
    const facts = {
      bytes: 0,
      sha256: '0'.repeat(64),
      contentType: 'video/mp4',
      recordedAtMs: null,
      reservedAtMs: T,
    } as const
    await records.videos.reserve({ id, deviceId, fileName, blobUploadId, ...facts })
    return { id, deviceId, fileName, blobUploadId }
  }

  async function show(deviceId: string, fileName: string) {
    const held = await reserve(deviceId, fileName)
    await blobs.complete(held.blobUploadId, fileKeyOf(held))
    await blobs.put(thumbnailKeyOf(held.id), Buffer.from('jpg'))
    await records.videos.show(held.id, T)
    return held
  }

  async function upload(deviceId: string, id: string): Promise<void> {
    const blobUploadId = await blobs.beginUpload('truck/clip')
    const sizes = { length: null, offset: 0, hashState: '', recordedAtMs: null, videoId: null }
    await records.uploads.insert({ ...sizes, id, deviceId, fileName: id, blobUploadId, createdAtMs: T, updatedAtMs: T })
  }

  /** What is left of a device: names that are taken, uploads, and whether its file and thumbnail are there. */
  async function leftOf(deviceId: string, fileName: string) {
    return [
      (await records.videos.listOfDevice(deviceId, 1000)).length,
      (await records.uploads.listOfDevice(deviceId)).length,
      await blobs.stat(fileKeyOf({ deviceId, fileName })),
      await blobs.stat(thumbnailKeyOf(`${deviceId}-${fileName}`)),
    ]
  }
  const idleUploads = () => blobs.listIdleUploads(Date.now() + 60_000)

  it('removes videos of every state, their pictures and uploads, and leaves other devices alone', async () => {
    await show('truck-1', 'clip')
    const hidden = await show('truck-1', 'hidden')
    await records.videos.hide(hidden.id)
    await reserve('truck-1', 'reserved')
    await upload('truck-1', 'one')
    await show('truck-10', 'clip')
    await upload('truck-10', 'other')

    await erasure.eraseDevice('truck-1')
    await erasure.eraseDevice('truck-1')

    expect(await leftOf('truck-1', 'clip')).toEqual([0, 0, undefined, undefined])
    expect(await leftOf('truck-1', 'hidden')).toEqual([0, 0, undefined, undefined])
    expect(await leftOf('truck-10', 'clip')).toEqual([1, 1, { bytes: 0 }, { bytes: 3 }])
    expect(await idleUploads()).toEqual([(await records.uploads.find('other'))?.blobUploadId])
  })

  it('removes objects that no row knows of', async () => {
    await blobs.put('truck-1/left', Buffer.from('x'))
    await erasure.eraseDevice('truck-1')

    expect(await blobs.stat('truck-1/left')).toBeUndefined()
  })

  it('spares the pictures of others when a device is called as they are', async () => {
    await show('derived', 'clip')
    await show('truck-1', 'clip')
    await erasure.eraseDevice('derived')

    expect(await leftOf('derived', 'clip')).toEqual([0, 0, undefined, undefined])
    expect(await leftOf('truck-1', 'clip')).toEqual([1, 0, { bytes: 0 }, { bytes: 3 }])
  })

  it('takes more videos than fit in one step', async () => {
    for (let i = 0; i < 120; i++) await reserve('truck-1', `clip-${i}`)
    await erasure.eraseDevice('truck-1')

    expect(await records.videos.listOfDevice('truck-1', 1)).toEqual([])
    expect(await idleUploads()).toEqual([])
  })

  it('finishes when it is repeated after the store of objects was away', async () => {
    const { id } = await show('truck-1', 'clip')
    const remove = jest.spyOn(blobs, 'remove').mockRejectedValueOnce(new Error('away'))

    await expect(erasure.eraseDevice('truck-1')).rejects.toThrow('away')
    expect(await records.videos.find(id)).toBeUndefined()
    expect(await records.videos.listOfDevice('truck-1', 10)).toHaveLength(1)
    await erasure.eraseDevice('truck-1')

    expect(remove).toHaveBeenCalledTimes(2)
    expect(await leftOf('truck-1', 'clip')).toEqual([0, 0, undefined, undefined])
  })
})

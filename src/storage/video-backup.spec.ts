import { createHash } from 'node:crypto'
import { existsSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { removeTemporaryDirectories, temporaryDirectory } from '../../test/support/temporary-directory.js'
import { fileKeyOf, thumbnailKeyOf } from '../model/video-keys.js'
import { chunksOf } from './blobs/blob-samples.contract.js'
import { type DirectoryBlobStore, openDirectoryBlobs } from './blobs/directory-blob-store.js'
import { ObjectBackup } from './blobs/object-backup.js'
import { backUp, checkBackup } from './embedded-backup.js'
import { openSqliteRecords } from './sql/open-sqlite-records.js'
import type { SqlRecords } from './sql/records-of.js'
import { backupSqliteFile } from './sqlite-backup.js'

const DEVICE = 'truck-1'

describe('a backup of videos', () => {
  let data: string
  let target: string
  let records: SqlRecords
  let blobs: DirectoryBlobStore

  beforeEach(async () => {
    data = temporaryDirectory()
    target = path.join(temporaryDirectory(), 'backup')
    records = await openSqliteRecords({ directory: data })
    blobs = await openDirectoryBlobs({ directory: data })
  })
  afterEach(async () => {
    await blobs.close()
    await records.store.close()
  })
  afterAll(removeTemporaryDirectories)

  async function addVideo(id: string, content = `content of ${id}`, fileName = `${id}.mp4`): Promise<void> {
    const blobUploadId = await blobs.beginUpload('truck/clip')
    const bytes = await blobs.append(blobUploadId, 0, chunksOf(content))
    const sha256 = createHash('sha256').update(content).digest('hex')
    const facts = { contentType: 'video/mp4', recordedAtMs: null, reservedAtMs: Date.now() } as const
    await records.videos.reserve({ id, deviceId: DEVICE, fileName, bytes, sha256, blobUploadId, ...facts })
    await blobs.complete(blobUploadId, fileKeyOf({ deviceId: DEVICE, fileName }))
    await records.videos.show(id, Date.now())
    await blobs.put(thumbnailKeyOf(id), Buffer.from('jpg'))
    await records.videos.setOutcome(id, { status: 'ready', failureReason: null, hasThumbnail: true })
  }

  async function removeVideo(id: string): Promise<void> {
    const video = await records.videos.hide(id)
    if (!video) throw new Error(`there is no ${id}`)
    await blobs.removeUnder('derived', id)
    await blobs.remove(fileKeyOf(video))
    await records.videos.remove(id)
  }

  /** Backs up, and does something between the gathering of the objects and the copy of the database, or after the copy. */
  function backUpWhile(steps: { readonly beforeCopy?: () => Promise<void>; readonly afterCopy?: () => Promise<void> }) {
    return backUp(data, target, 0, async (from, to) => {
      if (from.endsWith('milepost.sqlite')) await steps.beforeCopy?.()
      await backupSqliteFile(from, to)
      if (from.endsWith('milepost.sqlite')) await steps.afterCopy?.()
    })
  }

  /** What a server that starts on the backup shows: ids and contents. */
  async function restored(): Promise<Record<string, string | undefined>> {
    const found: Record<string, string | undefined> = {}
    const copy = await openSqliteRecords({ directory: target })
    const objects = await openDirectoryBlobs({ directory: target })
    for (const video of await copy.videos.list({ limit: 100 })) {
      const stream = await objects.read(fileKeyOf(video))
      found[video.id] = stream && Buffer.concat(await stream.toArray()).toString()
      expect(await objects.stat(thumbnailKeyOf(video.id))).toEqual({ bytes: 3 })
    }
    expect(await copy.uploads.listIdle(Date.now() + 60_000, 10)).toEqual([])
    await objects.close()
    await copy.store.close()
    return found
  }
  const filesBelow = (directory: string) =>
    readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length

  it('holds each with its file and pictures, and nothing else', async () => {
    await addVideo('one')
    await addVideo('two', 'zwei', 'Clip Zwei.MP4')
    await blobs.put('truck-1/leftover', Buffer.from('nobody knows it'))
    await blobs.beginUpload('truck/clip')
    await records.uploads.insert({
      id: 'u',
      deviceId: DEVICE,
      fileName: 'u',
      length: null,
      offset: 5,
      hashState: '',
      recordedAtMs: null,
      blobUploadId: 'b',
      createdAtMs: 1,
      updatedAtMs: 1,
      videoId: null,
    })

    const { videos } = await backUp(data, target, 0)

    expect(videos).toEqual({ videos: 2, bytes: 'content of one'.length + 'zwei'.length, left: [] })
    expect(filesBelow(path.join(target, 'blobs'))).toBe(4)
    expect(readdirSync(path.join(target, 'blobs'))).toEqual(['objects'])
    await checkBackup(target)
    expect(await restored()).toEqual({ one: 'content of one', two: 'zwei' })
    expect(await records.uploads.find('u')).toBeDefined()
  })

  it('takes no room on the same disk', async () => {
    await addVideo('one')
    await backUp(data, target, 0)
    const inodeIn = (directory: string) => statSync(path.join(directory, 'blobs/objects/truck-1/one.mp4')).ino

    expect(inodeIn(target)).toBe(inodeIn(data))
  })

  it('keeps what is removed from the server later', async () => {
    await addVideo('one')
    await backUp(data, target, 0)
    await removeVideo('one')

    await checkBackup(target)
    expect(await restored()).toEqual({ one: 'content of one' })
  })

  it('holds what was removed after the database was copied', async () => {
    await addVideo('one')
    const { videos } = await backUpWhile({ afterCopy: () => removeVideo('one') })

    expect(videos?.left).toEqual([])
    expect(await restored()).toEqual({ one: 'content of one' })
  })

  it('is without what was removed before the database was copied', async () => {
    await addVideo('one')
    const { videos } = await backUpWhile({ beforeCopy: () => removeVideo('one') })

    expect(videos).toEqual({ videos: 0, bytes: 0, left: [] })
    expect(existsSync(path.join(target, 'blobs/objects'))).toBe(false)
    expect(await restored()).toEqual({})
  })

  it('holds what came before the database was copied', async () => {
    const { videos } = await backUpWhile({ beforeCopy: () => addVideo('late') })

    expect(videos?.videos).toBe(1)
    await checkBackup(target)
    expect(await restored()).toEqual({ late: 'content of late' })
  })

  it('hides what came and went while it ran, and says so', async () => {
    await addVideo('one')
    const { videos } = await backUpWhile({
      beforeCopy: () => addVideo('short'),
      afterCopy: () => removeVideo('short'),
    })

    expect(videos?.left).toEqual(['short'])
    await checkBackup(target)
    expect(await restored()).toEqual({ one: 'content of one' })
  })

  it('never takes other bytes of the same name and size for the ones that the database means', async () => {
    await addVideo('old', 'aaaa', 'clip.mp4')
    const { videos } = await backUpWhile({
      beforeCopy: async () => {
        await removeVideo('old')
        await addVideo('new', 'bbbb', 'clip.mp4')
      },
      afterCopy: () => addVideo('other', 'cccc'),
    })

    expect(videos?.left).toEqual([])
    await checkBackup(target)
    expect(await restored()).toEqual({ new: 'bbbb' })
  })

  it('copies where there are no hard links', async () => {
    await addVideo('one')
    const noLinks = Object.assign(new Error('EXDEV'), { code: 'EXDEV', errno: -18 })
    const backup = new ObjectBackup(path.join(data, 'blobs/objects'), path.join(target, 'objects'), () =>
      Promise.reject(noLinks),
    )
    await backup.gather()
    const file = 'blobs/objects/truck-1/one.mp4'
    const copy = path.join(target, 'objects.gathered/truck-1/one.mp4')

    expect(statSync(copy).ino).not.toBe(statSync(path.join(data, file)).ino)
    expect((statSync(copy).mode & 0o777).toString(8)).toBe('600')
    await backup.discard()
    expect(readdirSync(target)).toEqual([])
  })

  it('is not whole without one of them, or with other bytes', async () => {
    await addVideo('one')
    await addVideo('two')
    await backUp(data, target, 0)
    const file = path.join(target, 'blobs/objects/truck-1/one.mp4')
    rmSync(file)
    await expect(checkBackup(target)).rejects.toThrow('the video one (truck-1) is not as it was uploaded')
    writeFileSync(file, 'CONTENT of one')
    await expect(checkBackup(target)).rejects.toThrow('the video one (truck-1) is not as it was uploaded')
    writeFileSync(file, 'content of one')
    await checkBackup(target)
    truncateSync(path.join(target, 'blobs/objects/truck-1/two.mp4'), 3)
    await expect(checkBackup(target)).rejects.toThrow('the video two (truck-1)')
  })
})

import type { DataSource } from 'typeorm'
import { describeOn } from '../../test/stores/describe-on.js'
import { openFreshMysql } from '../../test/stores/open-mysql-data-source.js'
import { removeTemporaryDirectories, temporaryDirectory } from '../../test/support/temporary-directory.js'
import { sha256Of, videoBytes } from '../../test/support/video-bytes.js'
import type { DeviceDirectory } from '../identity/device-directory.js'
import { Metrics } from '../metrics/metrics.js'
import type { Video } from '../model/video.js'
import { fileKeyOf } from '../model/video-keys.js'
import { type DirectoryBlobStore, openDirectoryBlobs } from '../storage/blobs/directory-blob-store.js'
import { openMysqlRecords } from '../storage/sql/open-mysql-records.js'
import type { SqlRecords } from '../storage/sql/records-of.js'
import { CLAIMED_FOR_MS } from '../storage/sql/video-records.js'
import { MEDIA_LIMITS } from './media/media-limits.js'
import type { MediaTool } from './media/media-tool.js'
import { MediaWork } from './media/media-work.js'
import { UploadAdmission } from './upload-admission.js'
import { VideoArrival, type WholeUpload } from './video-arrival.js'
import { type VideoEvent, VideoEvents } from './video-events.js'
import { VideoLocks } from './video-locks.js'
import { VideoRemoval } from './video-removal.js'

const UNIT = 'truck-1'
const NAMED = { deviceId: UNIT, fileName: 'clip.mp4' }
const KEY = fileKeyOf(NAMED)
const LATER_MS = 3_600_000

afterAll(removeTemporaryDirectories)

/** Holds the next call of a method until it is let go on, before it does anything. */
function holdNext<Name extends string>(target: Record<Name, (...given: never[]) => Promise<unknown>>, name: Name) {
  const original = target[name]
  let go: () => void = () => undefined
  let reach: () => void = () => undefined
  const reached = new Promise<void>((resolve) => {
    reach = resolve
  })
  const released = new Promise<void>((resolve) => {
    go = resolve
  })
  target[name] = async (...given: never[]) => {
    target[name] = original
    reach()
    await released
    return original.apply(target, given)
  }
  return { reached, go }
}

describeOn('SQL_URL', 'two nodes on the same stores', () => {
  let dataSource: DataSource
  let nodes: [SqlRecords, SqlRecords]
  let close: () => Promise<void>
  let blobs: DirectoryBlobStore
  let a: ReturnType<typeof nodeOn>
  let b: ReturnType<typeof nodeOn>

  beforeAll(async () => {
    const fresh = await openFreshMysql()
    const open = (node: string) => openMysqlRecords({ url: fresh.url, tls: 'off', poolSize: 5 }, node)
    nodes = [await open('a'), await open('b')]
    dataSource = fresh.dataSource
    close = async () => {
      await Promise.all(nodes.map(({ store }) => store.close()))
      await fresh.close()
    }
  })
  afterAll(() => close())

  beforeEach(async () => {
    blobs = await openDirectoryBlobs({ directory: temporaryDirectory() })
    a = nodeOn(nodes[0])
    b = nodeOn(nodes[1])
  })
  afterEach(async () => {
    for (const { removal } of [a, b]) removal.onModuleDestroy()
    await blobs.close()
    await dataSource.query('DELETE FROM videos')
  })

  function nodeOn({ videos: records }: SqlRecords) {
    const directory = { find: async () => ({ status: 'active', generation: 'g' }), onChange: () => undefined }
    const admission = new UploadAdmission(directory as unknown as DeviceDirectory)
    const events = new VideoEvents()
    const told: VideoEvent[] = []
    events.onVideo((_, event) => told.push(event))
    // Its own view of the objects, so that one node can be held and not the other.
    const objects: DirectoryBlobStore = Object.create(blobs)
    const locks = new VideoLocks()
    const removal = new VideoRemoval(records, objects, events, locks)
    const arrival = new VideoArrival(records, objects, events, admission, locks)
    return { records, objects, arrival, removal, told }
  }

  async function whole(bytes = videoBytes(5000)): Promise<WholeUpload> {
    const blobUploadId = await blobs.beginUpload(KEY)
    await blobs.append(blobUploadId, 0, chunkOf(bytes))
    const facts = { bytes: bytes.length, sha256: sha256Of(bytes), mediaType: 'video/mp4' as const, recordedAtMs: null }
    return { ...NAMED, ...facts, blobUploadId }
  }
  const upload = async (node: typeof a, bytes?: Buffer): Promise<Video> =>
    (await node.arrival.finish(await whole(bytes))).video
  /** As if the node that has claimed it had died long ago. */
  const age = () => dataSource.query('UPDATE videos SET claimed_at = claimed_at - ?', [CLAIMED_FOR_MS])
  const rows = () => dataSource.query<{ id: string }[]>('SELECT id FROM videos')

  it('keep a name taken until the node that removes its file has ended, whoever else is asked to', async () => {
    const video = await upload(a)
    await a.records.hide(video.id)
    const held = holdNext(b.objects, 'remove')
    const sweep = b.removal.sweep()
    await held.reached

    expect(await a.removal.remove(video.id)).toMatchObject({ id: video.id })
    await expect(upload(a)).rejects.toMatchObject({ code: 'overloaded' })
    held.go()
    await sweep
    const again = await upload(a)
    await b.removal.sweep()

    expect(await blobs.stat(KEY)).toEqual({ bytes: 5000 })
    expect(await rows()).toEqual([{ id: again.id }])
  })

  it('leave a removal to the node that has it under way, and go on with one that a node left', async () => {
    const video = await upload(a)
    await a.records.hide(video.id)
    expect(await a.records.claim(video.id, CLAIMED_FOR_MS)).toBe(true)

    await b.removal.sweep()
    expect([await rows(), await blobs.stat(KEY)]).toEqual([[{ id: video.id }], { bytes: 5000 }])
    await age()
    await b.removal.sweep()

    expect([await rows(), await blobs.stat(KEY)]).toEqual([[], undefined])
  })

  it('remove no file that came while a removal was held up for very long', async () => {
    const video = await upload(a)
    const held = holdNext(a.objects, 'removeUnder')
    const removal = a.removal.remove(video.id)
    await held.reached
    await age()
    await b.removal.sweep()
    const again = await upload(b)
    held.go()
    await removal

    expect(await blobs.stat(KEY)).toEqual({ bytes: 5000 })
    expect(await rows()).toEqual([{ id: again.id }])
  })

  it('leave an upload to the node that makes a video of it', async () => {
    const held = holdNext(a.objects, 'complete')
    const bytes = videoBytes(5000)
    const arriving = upload(a, bytes)
    await held.reached

    expect(await b.arrival.mendReserved(Date.now() + LATER_MS)).toBe(0)
    await expect(upload(b, bytes)).rejects.toMatchObject({ code: 'overloaded' })
    held.go()
    const video = await arriving

    expect(await b.records.find(video.id)).toEqual(video)
    expect(await upload(b, bytes)).toEqual(video)
  })

  it('end what a node left long ago, and the unit is answered when that node goes on after all', async () => {
    const held = holdNext(a.records, 'show')
    const arriving = upload(a)
    await held.reached
    await age()

    expect(await b.arrival.mendReserved(Date.now() + LATER_MS)).toBe(1)
    held.go()
    const video = await arriving

    expect([await rows(), b.told]).toEqual([[{ id: video.id }], ['shown']])
    expect(await blobs.stat(KEY)).toEqual({ bytes: 5000 })
  })

  it('never remove the file of another video that has got the name meanwhile', async () => {
    const held = holdNext(a.records, 'show')
    const arriving = upload(a)
    await held.reached
    await dataSource.query('DELETE FROM videos')
    const other = await upload(b, videoBytes(6000))
    held.go()

    await expect(arriving).rejects.toMatchObject({ code: 'overloaded' })
    expect(await blobs.stat(KEY)).toEqual({ bytes: 6000 })
    expect(await rows()).toEqual([{ id: other.id }])
  })

  it('can end at once what the other could not end since a store was away', async () => {
    const bytes = videoBytes(5000)
    const complete = jest.spyOn(a.objects, 'complete').mockRejectedValue(new Error('away'))
    await expect(upload(a, bytes)).rejects.toThrow('away')
    complete.mockRestore()

    expect((await upload(b, bytes)).sha256).toBe(sha256Of(bytes))
    expect(await rows()).toHaveLength(1)
  })

  it('put no lost file back in the place of one that is being removed', async () => {
    const bytes = videoBytes(5000)
    const video = await upload(a, bytes)
    await blobs.remove(KEY)
    const stat = holdNext(a.objects, 'stat')
    const healing = upload(a, bytes)
    await stat.reached
    const held = holdNext(b.objects, 'removeUnder')
    const removal = b.removal.remove(video.id)
    await held.reached
    stat.go()

    await expect(healing).rejects.toMatchObject({ code: 'overloaded' })
    held.go()
    await removal
    expect([await rows(), await blobs.stat(KEY)]).toEqual([[], undefined])
  })

  it('leave the file of a video that goes while it is put back to whoever removes it', async () => {
    const bytes = videoBytes(5000)
    const video = await upload(a, bytes)
    await blobs.remove(KEY)
    const held = holdNext(a.objects, 'complete')
    const healing = upload(a, bytes)
    await held.reached

    expect(await b.removal.remove(video.id)).toMatchObject({ id: video.id })
    held.go()
    await expect(healing).rejects.toMatchObject({ code: 'overloaded' })
    expect(await rows()).toEqual([{ id: video.id }])
    await b.removal.sweep()

    expect([await rows(), await blobs.stat(KEY)]).toEqual([[], undefined])
  })

  it('tell of a video whose last answer was lost when its unit comes again, once', async () => {
    const bytes = videoBytes(5000)
    const show = a.records.show.bind(a.records)
    jest.spyOn(a.records, 'show').mockImplementationOnce(async (...given) => {
      await show(...given)
      throw new Error('the answer was lost')
    })
    await expect(upload(a, bytes)).rejects.toThrow('the answer was lost')
    expect(a.told).toEqual([])

    const again = await a.arrival.finish(await whole(bytes))
    await a.arrival.finish(await whole(bytes))

    expect([again.isNew, a.told]).toEqual([false, ['shown']])
  })

  it('tell of such a video also when its unit never comes again', async () => {
    const show = a.records.show.bind(a.records)
    jest.spyOn(a.records, 'show').mockImplementationOnce(async (...given) => {
      await show(...given)
      throw new Error('the answer was lost')
    })
    await expect(upload(a)).rejects.toThrow('the answer was lost')

    await a.arrival.tellUntold()
    await a.arrival.tellUntold()

    expect(a.told).toEqual(['shown'])
  })

  it('do not count against a video that a node which died holds its row', async () => {
    const video = await upload(b)
    expect(await a.records.claim(video.id, CLAIMED_FOR_MS)).toBe(true)
    const tool = { path: '/nowhere/ffmpeg', miss: () => undefined } as unknown as MediaTool
    const work = new MediaWork(
      b.records,
      b.objects,
      new VideoEvents(),
      tool,
      new Metrics(),
      MEDIA_LIMITS,
      new VideoLocks(),
    )
    const { signal } = new AbortController()
    for (let tries = 0; tries < 4; tries++) expect(await work.do(video, signal)).toBe('later')
    expect(await b.records.find(video.id)).toEqual(video)

    await age()
    expect(await work.do(video, signal)).toBe('settled')
    expect(await b.records.countAttempt(video.id)).toBe(2)
    expect(await a.records.claim(video.id, CLAIMED_FOR_MS)).toBe(true)
  })
})

async function* chunkOf(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}

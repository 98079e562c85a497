import type { DirectUploadRecord, DirectUploadRecords } from './direct-upload-records.js'

export interface OpenedDirectUploadRecords {
  readonly records: DirectUploadRecords
  close(): Promise<void>
}

const T = 1_700_000_000_123

const upload = (id: string, changes: Partial<DirectUploadRecord> = {}): DirectUploadRecord => ({
  id,
  deviceId: 'truck-1',
  fileName: 'clip.mp4',
  bytes: 4_294_967_296,
  sha256: 'ab'.repeat(32),
  recordedAtMs: null,
  blobUploadId: `blob-${id}`,
  createdAtMs: T,
  updatedAtMs: T,
  videoId: null,
  ...changes,
})

/** What every store of direct uploads does. `open` gives an empty one. */
export function directUploadRecordsContract(database: string, open: () => Promise<OpenedDirectUploadRecords>): void {
  describe(`direct upload records on ${database}`, () => {
    let opened: OpenedDirectUploadRecords
    let records: DirectUploadRecords

    beforeEach(async () => {
      opened = await open()
      records = opened.records
    })
    afterEach(() => opened.close())

    it('gives back what was stored', async () => {
      const plain = upload('a')
      const odd = upload('b', {
        fileName: '漢'.repeat(66),
        bytes: Number.MAX_SAFE_INTEGER,
        recordedAtMs: 8.64e15,
        videoId: 'v',
      })
      await records.insert(plain)
      await records.insert(odd)

      expect(await records.find('a')).toEqual(plain)
      expect(await records.find('b')).toEqual(odd)
      expect(await records.find('A')).toBeUndefined()
      expect(await records.find('c')).toBeUndefined()
    })

    it('refuses an id that exists', async () => {
      await records.insert(upload('a'))

      await expect(records.insert(upload('a', { deviceId: 'truck-2' }))).rejects.toThrow()
      expect(await records.find('a')).toEqual(upload('a'))
    })

    it('changes what it is told to, and nothing else', async () => {
      await records.insert(upload('a'))
      await records.insert(upload('b'))

      expect(await records.update('a', { recordedAtMs: -5, blobUploadId: 'new', updatedAtMs: T + 5 })).toBe(true)
      expect(await records.update('a', { videoId: 'v', blobUploadId: undefined })).toBe(true)
      expect(await records.update('a', {})).toBe(true)

      expect(await records.find('a')).toEqual(
        upload('a', { recordedAtMs: -5, blobUploadId: 'new', updatedAtMs: T + 5, videoId: 'v' }),
      )
      expect(await records.find('b')).toEqual(upload('b'))
    })

    it('knows when there is nothing to change, also when nothing would be', async () => {
      await records.insert(upload('a'))

      expect(await records.update('a', { updatedAtMs: T })).toBe(true)
      expect(await records.update('b', { updatedAtMs: T })).toBe(false)
      expect(await records.update('b', {})).toBe(false)
    })

    it('removes', async () => {
      await records.insert(upload('a'))
      await records.remove('a')
      await records.remove('a')

      expect(await records.find('a')).toBeUndefined()
    })

    it('lists those of a device', async () => {
      await records.insert(upload('b'))
      await records.insert(upload('a', { videoId: 'v' }))
      await records.insert(upload('other', { deviceId: 'truck-10' }))

      expect((await records.listOfDevice('truck-1')).map(({ id }) => id)).toEqual(['a', 'b'])
      expect(await records.listOfDevice('TRUCK-1')).toEqual([])
    })

    it('lists those that nobody asked for, oldest first', async () => {
      await records.insert(upload('young', { updatedAtMs: T + 2 }))
      await records.insert(upload('b', { updatedAtMs: T + 1, createdAtMs: T - 5 }))
      await records.insert(upload('a', { videoId: 'v' }))
      const idle = async (sinceMs: number, limit: number) =>
        (await records.listIdle(sinceMs, limit)).map(({ id }) => id)

      expect(await idle(T + 2, 10)).toEqual(['a', 'b'])
      expect(await idle(T + 2, 1)).toEqual(['a'])
      expect(await idle(T, 10)).toEqual([])
    })

    it('knows which uploads of the blob store are its own, among any number', async () => {
      await records.insert(upload('a'))
      await records.insert(upload('b', { videoId: 'v' }))
      const asked = Array.from({ length: 1200 }, (_, i) => `stranger-${i}`)

      expect(await records.findKnownBlobUploads([])).toEqual([])
      expect((await records.findKnownBlobUploads(['blob-a', ...asked, 'blob-b', 'BLOB-A'])).sort()).toEqual([
        'blob-a',
        'blob-b',
      ])
    })
  })
}

import type { UploadRecord } from '../storage/sql/upload-records.js'
import { placeAmong } from './upload-place.js'

const NOW = 1_800_000_000_000
const MINUTE_MS = 60_000

const upload = (id: string, fileName: string, silentMs: number, offset = 0): UploadRecord => ({
  id,
  deviceId: '490154203237518',
  fileName,
  length: 5000,
  offset,
  hashState: '',
  recordedAtMs: null,
  blobUploadId: id,
  createdAtMs: NOW - silentMs,
  updatedAtMs: NOW - silentMs,
  videoId: null,
})
const place = (open: UploadRecord[], busy: string[] = []) => {
  const found = placeAmong(open, 'a.mp4', (id) => busy.includes(id), NOW)
  return 'displaced' in found ? found.displaced.id : found.retryAfterMs
}

describe('the place of an upload of a.mp4, when all are taken,', () => {
  it('is that of the longest silent one of its name, also with bytes and however young', () => {
    expect(
      place([upload('1', 'a.mp4', 10), upload('2', 'a.mp4', 20, 4000), upload('3', 'b.mp4', 99 * MINUTE_MS)]),
    ).toBe('2')
  })

  it('is not one that bytes are coming for', () => {
    expect(place([upload('1', 'a.mp4', 10), upload('2', 'a.mp4', 20)], ['2'])).toBe('1')
    expect(place([upload('1', 'b.mp4', 60 * MINUTE_MS), upload('2', 'c.mp4', 20 * MINUTE_MS)], ['1'])).toBe('2')
  })

  it('is that of one that was begun again, if there is none of its name', () => {
    const open = [
      upload('1', 'b.mp4', 30),
      upload('2', 'b.mp4', 20),
      upload('3', 'c.mp4', 40),
      upload('4', 'b.mp4', 10),
    ]
    expect(place(open)).toBe('1')
    expect(place(open, ['1'])).toBe('2')
    expect(place(open.slice(2))).toBe(15 * MINUTE_MS - 40)
  })

  it('is that of the longest silent one of another name, if nothing came for it for a quarter of an hour', () => {
    expect(place([upload('1', 'b.mp4', 15 * MINUTE_MS), upload('2', 'c.mp4', 16 * MINUTE_MS)])).toBe('2')
  })

  it('is free when the longest silent one will have been silent for so long', () => {
    expect(place([upload('1', 'b.mp4', 2 * MINUTE_MS), upload('2', 'c.mp4', 14 * MINUTE_MS)])).toBe(MINUTE_MS)
    expect(place([upload('1', 'b.mp4', 2 * MINUTE_MS)])).toBe(13 * MINUTE_MS)
  })

  it('may be free at any time where bytes are coming', () => {
    expect(place([upload('1', 'b.mp4', 0)], ['1'])).toBe(MINUTE_MS)
    expect(place([upload('1', 'b.mp4', 0), upload('2', 'c.mp4', 2 * MINUTE_MS)], ['1'])).toBe(MINUTE_MS)
  })
})

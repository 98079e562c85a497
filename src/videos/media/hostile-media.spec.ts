import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import fc from 'fast-check'
import { FFMPEG, fakeTool, makeSample, runFfmpeg, sourceOf } from '../../../test/support/media-samples.js'
import { removeTemporaryDirectories, temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { MEDIA_TYPES, type MediaType } from '../../model/video.js'
import { Ffmpeg } from './ffmpeg.js'
import { MEDIA_LIMITS, type MediaLimits } from './media-limits.js'
import { type MediaFinding, readMedia } from './read-media.js'

const directory = temporaryDirectory()
afterAll(removeTemporaryDirectories)

function read(file: string, type: MediaType = 'video/mp4', limits: MediaLimits = MEDIA_LIMITS): Promise<MediaFinding> {
  const { signal } = new AbortController()
  return readMedia(new Ffmpeg(FFMPEG, temporaryDirectory(), limits, signal), sourceOf(file, type))
}

function written(name: string, content: string | Buffer): string {
  const file = path.join(directory, name)
  writeFileSync(file, content)
  return file
}

const NOTHING = { durationS: null, codec: null, width: null, height: null }
const NOT_DECODABLE = { outcome: 'failed', reason: 'not_decodable', facts: NOTHING }

describe('reading hostile files', () => {
  it('follows no list of other files or addresses, whatever type it is taken for', async () => {
    const secret = makeSample(directory, 'secret.ts', { options: ['-c:v', 'mpeg2video'] })
    let asked = 0
    const server = createServer((_, response) => {
      asked += 1
      response.end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    try {
      const lists = {
        'list.m3u8': `#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:${secret}\n#EXTINF:9,\nhttp://127.0.0.1:${port}/x.ts\n#EXT-X-ENDLIST\n`,
        'list.ffconcat': `ffconcat version 1.0\nfile '${secret}'\nfile 'http://127.0.0.1:${port}/'\n`,
        'list.sdp': `v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video ${port} RTP/AVP 96\na=rtpmap:96 H264/90000\n`,
        'list.mpd': `<?xml version="1.0"?><MPD><BaseURL>http://127.0.0.1:${port}/</BaseURL></MPD>`,
      }
      for (const [name, content] of Object.entries(lists)) {
        const file = written(name, content)
        for (const type of MEDIA_TYPES) expect(await read(file, type)).toEqual(NOT_DECODABLE)
      }
      expect(asked).toBe(0)
    } finally {
      await new Promise((resolve) => server.close(resolve))
    }
  })

  it('does not take the media of another file that a MOV refers to', async () => {
    const options = ['-c:v', 'mjpeg', '-f', 'mov']
    const whole = makeSample(directory, 'whole.mov', { options })
    const bytes = readFileSync(whole)
    const elsewhere = path.join(directory, 'elsewhere.mov')
    const referring = withExternalReference(bytes, elsewhere)
    writeFileSync(elsewhere, bytes)
    const file = written('referring.mov', referring)
    // The reference works where it is followed, or this would prove nothing.
    const followed = firstPacketOf(['-enable_drefs', '1', '-use_absolute_path', '1', '-i', file])
    expect(followed).toBe(firstPacketOf(['-i', whole]))
    expect(firstPacketOf(['-i', file])).not.toBe(followed)
    expect(await read(file, 'video/quicktime')).toMatchObject({ outcome: 'failed', reason: 'not_decodable' })
  })

  it('does not read sizes that no camera has', async () => {
    const small = readFileSync(makeSample(directory, 'small.jpg', { options: ['-frames:v', '1'] }))
    const at = small.indexOf(Buffer.from([0xff, 0xc0]))
    for (const [width, height] of [
      [20_000, 20_000],
      [65_500, 65_500],
      [65_500, 2000],
    ] as const) {
      const large = Buffer.from(small)
      large.writeUInt16BE(height, at + 5)
      large.writeUInt16BE(width, at + 7)
      expect(await read(written('large.jpg', large), 'image/jpeg')).toMatchObject({ outcome: 'failed' })
    }
  })

  it('does not read a picture in a video that is larger than videos are', async () => {
    const file = path.join(directory, 'bomb.avi')
    runFfmpeg(['-f', 'lavfi', '-i', 'color=red:size=5000x5000:rate=5:duration=1', '-c:v', 'mjpeg', file])
    expect(await read(file, 'video/x-msvideo')).toMatchObject({ outcome: 'failed', reason: 'not_decodable' })
  })

  it('does not take a picture of another kind for a photo', async () => {
    const file = path.join(directory, 'png.jpg')
    runFfmpeg(['-f', 'lavfi', '-i', 'testsrc2=size=320x180', '-frames:v', '1', '-c:v', 'png', '-f', 'image2', file])
    expect(await read(file, 'image/jpeg')).toMatchObject({ outcome: 'failed', reason: 'not_decodable' })
  })

  it('does not run decoders that no camera needs', async () => {
    const file = makeSample(directory, 'odd.avi', { options: ['-c:v', 'cinepak', '-strict', '-2'], size: '64x64' })
    expect(await read(file, 'video/x-msvideo')).toEqual({
      outcome: 'failed',
      reason: 'not_decodable',
      facts: { codec: 'cinepak', durationS: 2, width: 64, height: 64 },
    })
  })

  it('shows nothing of a file without a picture track', async () => {
    const file = path.join(directory, 'sound.mp4')
    runFfmpeg(['-f', 'lavfi', '-i', 'sine=duration=1', '-c:a', 'aac', file])
    expect(await read(file)).toEqual(NOT_DECODABLE)
  })

  it('gives up on empty files and noise', async () => {
    for (const type of MEDIA_TYPES) {
      expect(await read(written('empty', ''), type)).toEqual(NOT_DECODABLE)
      expect(await read(written('noise', Buffer.alloc(100_000, 'noise')), type)).toMatchObject({ outcome: 'failed' })
    }
  })

  it('takes what there is of a file that was cut', async () => {
    const options = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '5']
    const file = makeSample(directory, 'cut.mp4', { seconds: 4, options: [...options, '-movflags', 'faststart'] })
    truncateSync(file, Math.floor(statSync(file).size / 2))
    const finding = await read(file)
    expect(finding).toMatchObject({ outcome: 'ready', facts: { codec: 'h264', width: 320 } })
    if (finding.outcome !== 'ready') throw new Error(finding.outcome)
    // Its head still says 4 s; what is there is told.
    expect(finding.facts.durationS).toBeGreaterThan(1)
    expect(finding.facts.durationS).toBeLessThan(3.5)
    expect(finding.screenshots.length).toBe(3)
  })

  it('does not believe a length that no clip has, nor look for pictures all over it', async () => {
    const bytes = readFileSync(makeSample(directory, 'gap.mov', { options: ['-c:v', 'mjpeg'] }))
    const at = bytes.indexOf('stts')
    // One entry for all pictures: each is shown for days.
    expect([bytes.readUInt32BE(at + 8), bytes.readUInt32BE(at + 12)]).toEqual([1, 20])
    bytes.writeUInt32BE(1_000_000, at + 16)
    bytes.writeUInt32BE(1, bytes.indexOf('mdhd') + 16)
    // The list of edits would say how long it really is.
    bytes.write('free', bytes.indexOf('edts'), 'latin1')
    const startedMs = performance.now()
    const finding = await read(written('gap.mov', bytes), 'video/quicktime')
    expect(finding).toMatchObject({ outcome: 'ready', facts: { durationS: null, width: 320 }, screenshots: [] })
    expect(performance.now() - startedMs).toBeLessThan(10_000)
  })

  it('gives up on a file that takes too long, and says so', async () => {
    const file = makeSample(directory, 'slow.mp4')
    const limits = { ...MEDIA_LIMITS, callMs: 300, readingBytesPerMs: Number.MAX_SAFE_INTEGER }
    const { signal } = new AbortController()
    const tool = new Ffmpeg(fakeTool('exec sleep 60'), temporaryDirectory(), limits, signal)
    expect(await readMedia(tool, sourceOf(file))).toEqual({ outcome: 'failed', reason: 'too_slow', facts: NOTHING })
  })

  it('gives up on a file for which the memory does not do', async () => {
    const file = makeSample(directory, 'memory.mp4', { size: '1920x1080', seconds: 1 })
    const finding = await read(file, 'video/mp4', { ...MEDIA_LIMITS, memoryBytes: 80 * 1_048_576 })
    // A build that is not static does not even begin with so little.
    expect(['failed', 'crashed', 'tool_missing']).toContain(finding.outcome)
  })

  const originals: Array<[string, MediaType, string[]]> = [
    ['flip.mp4', 'video/mp4', ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p']],
    ['flip.mkv', 'video/x-matroska', ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=0']],
    ['flip.avi', 'video/x-msvideo', ['-c:v', 'mpeg4']],
    ['flip.ts', 'video/mp2t', ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p']],
    ['flip.jpg', 'image/jpeg', ['-frames:v', '1']],
  ]
  it.each(originals)('comes to an end with %s, whatever is changed in it', async (name, type, options) => {
    const original = readFileSync(makeSample(directory, name, { size: '96x64', seconds: 1, options }))
    const changes = fc.array(
      fc.record({ at: fc.nat(original.length - 1), value: fc.nat(255), run: fc.integer({ min: 1, max: 64 }) }),
      { minLength: 1, maxLength: 12 },
    )
    await fc.assert(
      fc.asyncProperty(changes, fc.integer({ min: 1, max: 4 }), async (spots, part) => {
        const changed = Buffer.from(original)
        // Most of what matters is in the first bytes of most formats.
        const reach = Math.ceil(original.length / part)
        for (const { at, value, run } of spots) changed.fill(value, at % reach, Math.min(reach, (at % reach) + run))
        const finding = await read(written(`changed-${name}`, changed), type)
        expect(['ready', 'failed', 'crashed']).toContain(finding.outcome)
        if (finding.outcome === 'ready') expect(finding.thumbnail.length).toBeGreaterThan(100)
      }),
      { numRuns: Number(process.env.MEDIA_FLIPS ?? 12), endOnFailure: true },
    )
  })
})

/** What ffmpeg without our limits finds first: times, size and checksum. */
function firstPacketOf(input: string[]): string | undefined {
  const args = ['-loglevel', 'quiet', ...input, '-c', 'copy', '-frames:v', '1', '-f', 'framecrc', 'pipe:1']
  const listing = execFileSync(FFMPEG, args, { encoding: 'latin1' })
  return listing.split('\n').find((line) => line.startsWith('0,'))
}

/** Puts an alias record with an absolute path into the data reference of a MOV, and drops its own media. */
function withExternalReference(mov: Buffer, target: string): Buffer {
  mkdirSync(path.dirname(target), { recursive: true })
  const alias = aliasRecord(target)
  const entry = Buffer.concat([uint32(12 + alias.length), Buffer.from('alis'), uint32(0), alias])
  const moov = boxOf(mov, 'moov')
  const grown = grow(moov, ['trak', 'mdia', 'minf', 'dinf', 'dref'], (dref) =>
    Buffer.concat([dref.subarray(8, 12), uint32(1), entry]),
  )
  const before = mov.subarray(0, mov.indexOf(moov))
  const media = Buffer.from(before)
  media.fill(0, media.indexOf('mdat') + 4)
  return Buffer.concat([media, grown])
}

/** Rewrites the content of the innermost box on the path, and the sizes of those around it. */
function grow(box: Buffer, names: readonly string[], change: (inner: Buffer) => Buffer): Buffer {
  const [name, ...deeper] = names
  const type = box.subarray(4, 8)
  if (name === undefined) {
    const content = change(box)
    return Buffer.concat([uint32(8 + content.length), type, content])
  }
  const inner = boxOf(box, name)
  const at = box.indexOf(inner)
  const content = [box.subarray(8, at), grow(inner, deeper, change), box.subarray(at + inner.length)]
  const joined = Buffer.concat(content)
  return Buffer.concat([uint32(8 + joined.length), type, joined])
}

function boxOf(bytes: Buffer, name: string): Buffer {
  const at = bytes.indexOf(name) - 4
  return bytes.subarray(at, at + bytes.readUInt32BE(at))
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** As a Macintosh wrote it: volume, file name, levels up and down, and the path as an extra of type 2. */
function aliasRecord(target: string): Buffer {
  const record = Buffer.alloc(150)
  record.writeUInt16BE(2, 6)
  const volume = Buffer.from('disk')
  record.writeUInt8(volume.length, 10)
  volume.copy(record, 11)
  const name = Buffer.from(path.basename(target))
  record.writeUInt8(name.length, 50)
  name.copy(record, 51)
  record.writeInt16BE(1, 130)
  record.writeInt16BE(1, 132)
  const text = Buffer.from(target)
  const padded = Buffer.concat([text, Buffer.alloc(text.length % 2)])
  const head = Buffer.alloc(4)
  head.writeInt16BE(2, 0)
  head.writeUInt16BE(text.length, 2)
  const end = Buffer.alloc(4)
  end.writeInt16BE(-1, 0)
  return Buffer.concat([record, head, padded, end])
}

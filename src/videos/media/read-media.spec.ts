import { execFileSync } from 'node:child_process'
import { copyFileSync } from 'node:fs'
import path from 'node:path'
import { FFMPEG, jpegSize, makeSample, runFfmpeg, type Sample, sourceOf } from '../../../test/support/media-samples.js'
import { removeTemporaryDirectories, temporaryDirectory } from '../../../test/support/temporary-directory.js'
import type { MediaType } from '../../model/video.js'
import { Ffmpeg, type MediaSource } from './ffmpeg.js'
import { MEDIA_LIMITS } from './media-limits.js'
import { readMedia } from './read-media.js'

const directory = temporaryDirectory()
afterAll(removeTemporaryDirectories)

function read(source: MediaSource) {
  const { signal } = new AbortController()
  return readMedia(new Ffmpeg(FFMPEG, temporaryDirectory(), MEDIA_LIMITS, signal), source)
}

/** Facts, and the sizes of the pictures. */
async function summaryOf(source: MediaSource) {
  const finding = await read(source)
  if (finding.outcome !== 'ready') return finding
  const { width, height } = jpegSize(finding.thumbnail)
  const screenshots = finding.screenshots.map(jpegSize).map((size) => `${size.width}x${size.height}`)
  return { ...finding.facts, thumbnail: `${width}x${height}`, screenshots }
}

const three = (size: string) => [size, size, size]

describe('readMedia', () => {
  it('reads a clip and takes its pictures', async () => {
    const file = makeSample(directory, 'clip.mp4', { size: '1280x720', seconds: 3, rate: 25 })
    expect(await summaryOf(sourceOf(file))).toEqual({
      codec: 'h264',
      durationS: 3,
      width: 1280,
      height: 720,
      thumbnail: '320x180',
      screenshots: three('1280x720'),
    })
  })

  const h264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p']
  const formats: Array<[string, MediaType, string, Sample]> = [
    ['clip.mov', 'video/quicktime', 'h264', {}],
    ['clip.3gp', 'video/3gpp', 'h263', { size: '352x288', options: ['-c:v', 'h263', '-r', '10'] }],
    ['clip.mkv', 'video/x-matroska', 'hevc', { options: ['-c:v', 'libx265', '-preset', 'ultrafast'] }],
    ['clip.webm', 'video/webm', 'vp8', { options: ['-c:v', 'libvpx', '-b:v', '200k', '-deadline', 'realtime'] }],
    ['clip.avi', 'video/x-msvideo', 'mjpeg', { options: ['-c:v', 'mjpeg'] }],
    ['xvid.avi', 'video/x-msvideo', 'mpeg4', { options: ['-c:v', 'mpeg4', '-bf', '2'] }],
    ['clip.ts', 'video/mp2t', 'h264', { rate: 25, options: h264 }],
    ['gops.ts', 'video/mp2t', 'h264', { rate: 25, options: [...h264, '-g', '10'] }],
    ['clip.mpg', 'video/mpeg', 'mpeg1video', { rate: 25, options: ['-c:v', 'mpeg1video'] }],
    ['clip2.mpg', 'video/mpeg', 'mpeg2video', { rate: 25, options: ['-c:v', 'mpeg2video', '-g', '100'] }],
  ]
  it.each(formats)('reads %s (%s, %s)', async (name, type, codec, sample) => {
    const found = await summaryOf(sourceOf(makeSample(directory, name, sample), type))
    expect(found).toMatchObject({ codec, durationS: expect.closeTo(2, 1) })
    expect(found).toMatchObject({ screenshots: { length: 3 } })
  })

  it('tells a turned video as it is shown', async () => {
    const upright = makeSample(directory, 'upright.mp4', { size: '640x360' })
    const file = path.join(directory, 'turned.mp4')
    runFfmpeg(['-i', upright, '-c', 'copy', '-metadata:s:v:0', 'rotate=90', file])
    expect(await summaryOf(sourceOf(file))).toMatchObject({
      width: 360,
      height: 640,
      thumbnail: '320x568',
      screenshots: three('360x640'),
    })
  })

  it('tells pixels that are not square as they are shown', async () => {
    const options = [...h264, '-vf', 'setsar=4/3']
    const wide = makeSample(directory, 'wide.mp4', { size: '720x480', options })
    expect(await summaryOf(sourceOf(wide))).toMatchObject({ width: 960, height: 480, thumbnail: '320x160' })
    const tall = makeSample(directory, 'tall.mp4', { size: '720x480', options: [...h264, '-vf', 'setsar=1/2'] })
    expect(await summaryOf(sourceOf(tall))).toMatchObject({ width: 720, height: 960, thumbnail: '320x426' })
  })

  it('bounds the longer side of screenshots', async () => {
    const file = makeSample(directory, 'large.mp4', { size: '2560x1440', seconds: 1 })
    expect(await summaryOf(sourceOf(file))).toMatchObject({ width: 2560, screenshots: three('1280x720') })
  })

  it('takes the thumbnail of a picture, and nothing else', async () => {
    const file = makeSample(directory, 'photo.jpg', { size: '1600x1200', options: ['-frames:v', '1'] })
    expect(await summaryOf(sourceOf(file, 'image/jpeg'))).toEqual({
      codec: 'mjpeg',
      durationS: null,
      width: 1600,
      height: 1200,
      thumbnail: '320x240',
      screenshots: [],
    })
  })

  const lighter = (options: string[]) => ['-vf', 'geq=lum=min(235\\,16+N*2):cb=128:cr=128', ...options]
  it.each<[string, MediaType, string[]]>([
    ['lighter.mp4', 'video/mp4', h264],
    ['later.mp4', 'video/mp4', [...h264, '-output_ts_offset', '5']],
    ['lighter.ts', 'video/mp2t', [...h264, '-g', '15']],
    ['lighter.mkv', 'video/x-matroska', [...h264, '-g', '7']],
    ['lighter.avi', 'video/x-msvideo', ['-c:v', 'mpeg4', '-bf', '2', '-q:v', '2']],
  ])('takes the screenshots of %s at 1/6, 1/2 and 5/6 of the length', async (name, type, options) => {
    const finding = await read(sourceOf(makeSample(directory, name, { seconds: 6, options: lighter(options) }), type))
    const screenshots = finding.outcome === 'ready' ? finding.screenshots : []
    const frames = screenshots.map((jpeg) => (lumaOf(jpeg) * 219) / 255 / 2)
    // Ten pictures a second, each of them a little lighter; coding and an index without exact times cost a picture.
    expect(frames.map((frame) => Math.round(frame / 5) * 5)).toEqual([10, 30, 50])
  })

  it('takes names for names, whatever they look like', async () => {
    const clip = makeSample(directory, 'plain.mp4')
    for (const name of ['-i http:x', 'a|b', 'x%03d.mp4', 'name\nwith break', 'concat:x', "it's 🚚"]) {
      const file = path.join(directory, name)
      copyFileSync(clip, file)
      expect(await summaryOf(sourceOf(file))).toMatchObject({ codec: 'h264', durationS: 2 })
    }
    const photo = makeSample(directory, 'plain.jpg', { options: ['-frames:v', '1'] })
    const pattern = path.join(directory, 'p%d*?.jpg')
    copyFileSync(photo, pattern)
    expect(await summaryOf(sourceOf(pattern, 'image/jpeg'))).toMatchObject({ codec: 'mjpeg', width: 320 })
  })

  it('is not fooled by texts in the file', async () => {
    const lie = 'Duration: 99:00:00.00, start: 0.000000, bitrate: 1 kb/s'
    const stream = 'Stream #0:0: Video: lies (High), yuv420p, 7680x4320, 1 fps'
    const clip = makeSample(directory, 'honest.mp4')
    const file = path.join(directory, 'lying.mkv')
    const tags = [
      `title=${lie}`,
      `comment=x\n  ${lie}\n    ${stream}\n#codec_id 0: lies\n#dimensions 0: 9x9\n0, 0, 0, 9999999, 1, 0x0`,
      `${stream}=x`,
      `x\n  Duration: 99:00:00.00, start: 0.000000=x`,
    ].flatMap((tag) => ['-metadata', tag, '-metadata:s:v:0', tag])
    runFfmpeg(['-i', clip, '-c', 'copy', ...tags, file])
    expect(await summaryOf(sourceOf(file, 'video/x-matroska'))).toMatchObject({
      codec: 'h264',
      durationS: 2,
      width: 320,
      height: 180,
    })
  })
})

/** Mean brightness of a picture, 0..255, decoded by the tool itself. */
function lumaOf(jpeg: Buffer): number {
  const args = ['-loglevel', 'error', '-f', 'mjpeg', '-i', 'pipe:0', '-vf', 'crop=2:2', '-pix_fmt', 'yuvj420p']
  return execFileSync(FFMPEG, [...args, '-f', 'rawvideo', 'pipe:1'], { input: jpeg })[0] ?? 0
}

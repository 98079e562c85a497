import type { MediaType } from '../../model/video.js'
import { inputOptions, placeOf } from './media-input.js'
import { type MediaLimits, readingMs } from './media-limits.js'
import { type Moment, PacketListing } from './packet-listing.js'
import { runTool, type ToolEnd, type ToolSink } from './run-tool.js'
import { type PixelSize, shownSize } from './shown-size.js'
import { BoundedBytes, NoiseLimit } from './tool-sinks.js'

/** A unit's file while it is worked on. */
export interface MediaSource {
  /** Absolute path. */
  readonly file: string
  readonly type: MediaType
  readonly bytes: number
}

/** What the tool could tell of a file. */
export interface Probe {
  readonly end: ToolEnd
  readonly codec: string | null
  readonly durationS: number | null
  /** Of the moments that were asked for, where there is a length. */
  readonly moments: readonly Moment[]
  /** As it is shown, turned and with square pixels; null: no picture of it could be decoded. */
  readonly shown: PixelSize | null
  /** As it is stored; null: unknown. */
  readonly stored: PixelSize | null
}

/** One or two JPEG pictures of one moment, in the sizes asked for; null: there is none. */
export interface Pictures {
  readonly end: ToolEnd
  readonly pictures: ReadonlyArray<Buffer | null>
}

/** 2 is best, 31 is worst. */
const JPEG_QUALITY = '4'
const STREAM = ['-map', '0:V:0']
const QUIET = ['-hide_banner', '-nostdin', '-loglevel', 'quiet']
const LISTING = ['-map_metadata', '-1', '-f', 'framecrc', 'pipe:1']

/** ffmpeg, for the time of one video: every call is limited by itself, and all together are. */
export class Ffmpeg {
  private endsAtMs: number

  /**
   * @param path of the program
   * @param directory where it runs: one with nothing in it
   * @param stop ends what runs, at once
   */
  constructor(
    private readonly path: string,
    private readonly directory: string,
    private readonly limits: MediaLimits,
    private readonly stop: AbortSignal,
  ) {
    this.endsAtMs = performance.now() + limits.videoMs
  }

  /**
   * Lists the packets of the first picture track, which tells its length, and decodes one picture, which tells how it is shown.
   * @param parts of the length, whose moments are wanted
   */
  async probe(source: MediaSource, parts: readonly number[]): Promise<Probe> {
    const packets = new PacketListing()
    const extraMs = readingMs(source.bytes, this.limits)
    this.endsAtMs += extraMs
    const listed = await this.run(source, 0, [...STREAM, '-c', 'copy', ...LISTING], [packets], extraMs)
    // In a call of its own: beside the listing the tool would go on decoding to the end of the file.
    const frame = new PacketListing()
    const decodes = listed === 'done' || (listed === 'refused' && packets.packets > 0)
    const decoded = decodes ? await this.run(source, 0, [...STREAM, '-frames:v', '1', ...LISTING], [frame]) : listed
    return {
      end: decoded,
      codec: packets.codec,
      durationS: source.type === 'image/jpeg' ? null : packets.durationS,
      moments: parts.map((part) => packets.momentAt(part)).filter((moment) => moment !== null),
      shown: frame.packets > 0 && frame.size !== null ? shownSize(frame.size, frame.pixelWidth) : null,
      stored: packets.size,
    }
  }

  /**
   * Takes the picture that is shown at a moment.
   * @param moment null: the first picture
   * @param sizes one or two
   */
  async takePictures(source: MediaSource, moment: Moment | null, sizes: readonly PixelSize[]): Promise<Pictures> {
    const { seekS, skipS } = moment === null ? { seekS: 0, skipS: 0 } : placeOf(source.type, moment)
    const outputs = sizes.map(() => new BoundedBytes(this.limits.outputBytes))
    const [first, second] = outputs
    if (first === undefined) return { end: 'done', pictures: [] }
    const options = sizes.flatMap((size, index) => pictureTo(index === 0 ? 'pipe:1' : 'pipe:3', size, skipS))
    const end = await this.run(source, seekS, options, second === undefined ? [first] : [first, second])
    return { end, pictures: outputs.map(({ bytes }) => (isWholeJpeg(bytes) ? bytes : null)) }
  }

  private run(
    source: MediaSource,
    seekS: number,
    outputOptions: readonly string[],
    sinks: readonly [ToolSink] | readonly [ToolSink, ToolSink],
    extraMs = 0,
  ): Promise<ToolEnd> {
    const { callMs, memoryBytes, blockBytes, noiseBytes } = this.limits
    const input = inputOptions(source.file, source.type, seekS, this.limits)
    return runTool({
      path: this.path,
      args: [...QUIET, '-max_alloc', String(blockBytes), ...input, ...outputOptions],
      directory: this.directory,
      limitMs: Math.min(callMs + extraMs, this.endsAtMs - performance.now()),
      memoryBytes,
      sinks,
      noise: new NoiseLimit(noiseBytes),
      stop: this.stop,
    })
  }
}

function pictureTo(pipe: string, { width, height }: PixelSize, skipS: number): string[] {
  const skip = skipS === 0 ? [] : ['-ss', skipS.toFixed(3)]
  const filter = `scale=${width}:${height},setsar=1`
  const jpeg = ['-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p', '-q:v', JPEG_QUALITY, '-threads', '1']
  return [...STREAM, ...skip, '-frames:v', '1', '-vf', filter, ...jpeg, '-map_metadata', '-1', '-f', 'mjpeg', pipe]
}

/** From its first marker to its last. */
function isWholeJpeg(bytes: Buffer): boolean {
  return bytes.length > 4 && bytes.readUInt16BE(0) === 0xffd8 && bytes.readUInt16BE(bytes.length - 2) === 0xffd9
}

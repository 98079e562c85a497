import type { ToolSink } from './run-tool.js'
import type { PixelSize } from './shown-size.js'

/** Longest line of a listing that means anything. */
const MAX_LINE = 4096
/** What claims to be longer has a broken clock. */
const MAX_DURATION_S = 7 * 86_400

const CODEC = /^#codec_id 0: ([a-z0-9_]{1,32})$/
const SIZE = /^#dimensions 0: (\d{1,6})x(\d{1,6})$/
const PIXEL_SHAPE = /^#sar 0: (\d{1,9})\/(\d{1,9})$/
const TIME_BASE = /^#tb 0: (\d{1,10})\/(\d{1,10})$/
/** Stream, decoding time, presentation time, duration, bytes. */
const PACKET = /^0, *(-?\d+|NOPTS), *(-?\d+|NOPTS), *(-?\d+), *\d+, /
/** Of a packet that needs others before it; without flags it is a key picture. */
const FLAGGED = ', F='
const MAX_KEY_PICTURES = 1_000_000
const NO_TIME = '-9223372036854775808'

/** A moment of a video, both in seconds from the file's beginning. */
export interface Moment {
  readonly atS: number
  /** The picture at or before it that can be decoded without others. */
  readonly keyS: number
}

/**
 * Reads what ffmpeg's muxer `framecrc` writes: what the stream is, then one line for each packet. Unlike what ffmpeg says of a
 * file on its standard error, nothing in it comes from texts of the file, so that no title can pass for a duration.
 */
export class PacketListing implements ToolSink {
  /** ffmpeg's short name, such as `h264`; `rawvideo` for decoded frames. */
  codec: string | null = null
  size: PixelSize | null = null
  /** Width of a pixel in heights. */
  pixelWidth = 1
  packets = 0
  private secondsPerTick = 0
  private firstTick = Number.POSITIVE_INFINITY
  private lastTick = Number.NEGATIVE_INFINITY
  private endTick = Number.NEGATIVE_INFINITY
  private readonly keyTicks: number[] = []
  private rest = ''

  write(chunk: Buffer): boolean {
    const lines = (this.rest + chunk.toString('latin1')).split('\n')
    this.rest = lines.pop() ?? ''
    if (this.rest.length > MAX_LINE) return false
    for (const line of lines) this.read(line)
    return true
  }

  /** From the first picture to the end of the last; null: unknown. */
  get durationS(): number | null {
    let ticks = this.endTick - this.firstTick
    // A format that gives pictures no duration: the last one is shown as long as the others on average.
    if (this.endTick === this.lastTick && this.packets > 1) ticks += ticks / (this.packets - 1)
    const seconds = ticks * this.secondsPerTick
    return seconds > 0 && seconds <= MAX_DURATION_S ? Math.round(seconds * 1000) / 1000 : null
  }

  /** @param part of the length, 0..1. @returns null: the length is unknown */
  momentAt(part: number): Moment | null {
    const { durationS, firstTick, secondsPerTick } = this
    if (durationS === null) return null
    const atS = firstTick * secondsPerTick + part * durationS
    let keyS = 0
    for (const tick of this.keyTicks) {
      const seconds = tick * secondsPerTick
      if (seconds <= atS && seconds > keyS) keyS = seconds
    }
    return { atS: Math.max(0, atS), keyS }
  }

  private read(line: string): void {
    if (line.startsWith('#')) this.readHead(line)
    else this.readPacket(line)
  }

  private readHead(line: string): void {
    const codec = CODEC.exec(line)?.[1]
    if (codec !== undefined) this.codec = codec
    const [, width, height] = SIZE.exec(line) ?? []
    if (Number(width) > 0 && Number(height) > 0) this.size = { width: Number(width), height: Number(height) }
    const [, across, down] = PIXEL_SHAPE.exec(line) ?? []
    if (Number(across) > 0 && Number(down) > 0) this.pixelWidth = Number(across) / Number(down)
    const [, numerator, denominator] = TIME_BASE.exec(line) ?? []
    if (Number(denominator) > 0) this.secondsPerTick = Number(numerator) / Number(denominator)
  }

  private readPacket(line: string): void {
    const [, decoded, presented, duration] = PACKET.exec(line) ?? []
    if (decoded === undefined || presented === undefined) return
    this.packets += 1
    const tick = tickOf(presented) ?? tickOf(decoded)
    if (tick === undefined) return
    this.firstTick = Math.min(this.firstTick, tick)
    this.lastTick = Math.max(this.lastTick, tick)
    this.endTick = Math.max(this.endTick, tick + Math.max(0, Number(duration)))
    if (!line.includes(FLAGGED) && this.keyTicks.length < MAX_KEY_PICTURES) this.keyTicks.push(tick)
  }
}

function tickOf(text: string): number | undefined {
  return text === 'NOPTS' || text === NO_TIME ? undefined : Number(text)
}

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import path from 'node:path'
import { type SaxesAttributePlain, SaxesParser, type SaxesTagPlain } from 'saxes'
import type { Drive, Fix } from './drive.js'
import { withMotion } from './motion.js'

/** A file that cannot be replayed; the message names the file and, where there is one, the line. */
export class GpxError extends Error {
  override readonly name = 'GpxError'
}

/**
 * Reads the tracks of a GPX file (1.0 or 1.1), all segments of all tracks together in time order. Speed and course are taken
 * from the point (1.0) or its extensions (1.1), in m/s and degrees as GPX has them, and derived from the neighbours where absent.
 * @throws GpxError not readable, not XML, not GPX, no track points, or a point without a valid place or time
 */
export async function readGpx(file: string): Promise<Drive> {
  const points = new TrackPoints(file)
  const hash = createHash('sha256')
  try {
    const text = new TextDecoder('utf-8')
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      hash.update(chunk)
      points.write(text.decode(chunk, { stream: true }))
    }
    points.write(text.decode())
  } catch (error) {
    if (error instanceof GpxError) throw error
    throw new GpxError(`${file}: cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
  const fixes = points.end().sort((a, b) => a.timeMs - b.timeMs)
  return { name: path.basename(file, path.extname(file)), digest: hash.digest('hex'), fixes: withMotion(fixes) }
}

const METRES_PER_SECOND_IN_KMH = 3.6
const TIME = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}):(\d{2})(?:[.,](\d+))?(Z|[+-]\d{2}:?\d{2})?$/

interface PointDraft {
  readonly line: number
  readonly latitude: number
  readonly longitude: number
  readonly fields: Map<string, string>
}

/** What a point may say, by the element's name without its prefix. */
const FIELDS = new Set(['time', 'ele', 'speed', 'course', 'sat'])

/** Collects the track points of one document that arrives in pieces. */
class TrackPoints {
  private readonly parser = new SaxesParser()
  private readonly fixes: Fix[] = []
  private root: string | undefined
  private point: PointDraft | undefined
  private text = ''

  constructor(private readonly file: string) {
    this.parser.on('error', (error) => this.fail(`not well-formed XML: ${error.message.replace(/^\d+:\d+: /, '')}`))
    this.parser.on('opentag', (tag) => this.open(tag))
    this.parser.on('closetag', (tag) => this.close(tag))
    this.parser.on('text', (text) => {
      if (this.point !== undefined) this.text += text
    })
  }

  write(text: string): void {
    this.parser.write(text)
  }

  end(): Fix[] {
    this.parser.close()
    if (this.fixes.length === 0) throw new GpxError(`${this.file}: has no track points`)
    return this.fixes
  }

  private open(tag: SaxesTagPlain): void {
    const name = localName(tag.name)
    this.root ??= this.checkRoot(name)
    this.text = ''
    if (name !== 'trkpt') return
    this.point = {
      line: this.parser.line,
      latitude: this.degrees(tag.attributes, 'lat', 90),
      longitude: this.degrees(tag.attributes, 'lon', 180),
      fields: new Map(),
    }
  }

  private close(tag: SaxesTagPlain): void {
    if (this.point === undefined) return
    const name = localName(tag.name)
    if (FIELDS.has(name)) this.point.fields.set(name, this.text.trim())
    if (name === 'trkpt') {
      this.fixes.push(this.toFix(this.point))
      this.point = undefined
    }
  }

  private checkRoot(name: string): string {
    return name === 'gpx' ? name : this.fail(`not a GPX file: its root element is <${name}>`)
  }

  private toFix({ line, latitude, longitude, fields }: PointDraft): Fix {
    const speed = this.number(fields.get('speed'), 'speed', line)
    const course = this.number(fields.get('course'), 'course', line)
    return {
      timeMs: this.timeMs(fields.get('time'), line),
      latitude,
      longitude,
      altitudeM: this.number(fields.get('ele'), 'ele', line),
      speedKmh: speed === null || speed < 0 ? null : Math.round(speed * METRES_PER_SECOND_IN_KMH * 100) / 100,
      headingDeg: course === null || course < 0 || course > 360 ? null : course % 360,
      satellites: this.number(fields.get('sat'), 'sat', line),
    }
  }

  private degrees(attributes: Record<string, SaxesAttributePlain | string>, name: string, limit: number): number {
    const text = attributes[name]
    const value = typeof text === 'string' && text.trim() !== '' ? Number(text) : Number.NaN
    if (Math.abs(value) <= limit) return value
    return this.fail(`${name} of a track point must be a number from -${limit} to ${limit}`)
  }

  private number(text: string | undefined, name: string, line: number): number | null {
    if (text === undefined || text === '') return null
    const value = Number(text)
    return Number.isFinite(value) ? value : this.fail(`<${name}> must be a number, not "${text}"`, line)
  }

  private timeMs(text: string | undefined, line: number): number {
    if (text === undefined) return this.fail('a track point has no <time>', line)
    const timeMs = parseTimeMs(text)
    return timeMs ?? this.fail(`<time> "${text}" is not a moment like 2026-01-31T06:30:00Z`, line)
  }

  private fail(reason: string, line = this.parser.line): never {
    throw new GpxError(`${this.file}, line ${line}: ${reason}`)
  }
}

/** Epoch milliseconds; UTC when no offset is named; finer than a millisecond is cut, a leap second is the end of its minute. */
function parseTimeMs(text: string): number | undefined {
  const match = TIME.exec(text)
  if (match === null) return undefined
  const [, date, minutes, seconds, fraction = '', offset = 'Z'] = match
  const rest = seconds === '60' ? '59.999' : `${seconds}.${fraction.slice(0, 3).padEnd(3, '0')}`
  const timeMs = Date.parse(`${date}T${minutes}:${rest}${offset.replace(/^(.\d\d)(\d\d)$/, '$1:$2')}`)
  return Number.isNaN(timeMs) ? undefined : timeMs
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1)
}

import {
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import type { z } from 'zod'

/** A journal that cannot be trusted; the message names the file and what is wrong. */
export class JournalError extends Error {
  override readonly name = 'JournalError'
}

const NEWLINE = 0x0a
const CHUNK_BYTES = 1 << 18

/**
 * A file of lines of JSON, appended. Each call returns when the kernel has the bytes, so that an end of the process, however
 * sudden, loses nothing; a power cut may (a simulator does not sync). A line that an end of the process tore is cut off at the
 * next opening. The file is made with its first line. At most one process may have it open.
 */
export class LineFile<T> {
  private fd: number | undefined
  private end = 0
  private isClosed = false

  private constructor(
    private readonly file: string,
    private readonly schema: z.ZodType<T>,
  ) {}

  /**
   * Opens the file and shows each line that is there.
   * @throws JournalError damaged other than by a torn last line
   */
  static open<T>(file: string, schema: z.ZodType<T>, visit: (line: T) => void): LineFile<T> {
    const lines = new LineFile(file, schema)
    if (!existsSync(file)) return lines
    lines.fd = openSync(file, 'r+')
    try {
      lines.recover(visit)
    } catch (error) {
      lines.close()
      throw error
    }
    return lines
  }

  /** Bytes. */
  get size(): number {
    return this.end
  }

  /** @throws the file system's error, and then none of the lines was kept */
  append(lines: readonly T[]): void {
    if (this.isClosed) throw new JournalError(`${this.file} is closed`)
    this.fd ??= openSync(this.file, 'w+', 0o600)
    const bytes = Buffer.from(textOf(lines))
    try {
      for (let written = 0; written < bytes.length; ) {
        written += writeSync(this.fd, bytes, written, bytes.length - written, this.end + written)
      }
    } catch (error) {
      ftruncateSync(this.fd, this.end) // half a line in the middle would be damage
      throw error
    }
    this.end += bytes.length
  }

  /** Shows each whole line from the offset on, until told to stop; returns the offset after the last one seen. */
  scan(offset: number, visit: (line: T, endOffset: number) => boolean): number {
    let rest = Buffer.alloc(0)
    let position = offset
    for (;;) {
      const chunk = Buffer.alloc(CHUNK_BYTES)
      const length = this.fd === undefined ? 0 : readSync(this.fd, chunk, 0, CHUNK_BYTES, position + rest.length)
      if (length === 0) return position
      rest = Buffer.concat([rest, chunk.subarray(0, length)])
      for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
        const line = this.parse(rest.subarray(0, end).toString('utf8'), position)
        position += end + 1
        rest = rest.subarray(end + 1)
        if (!visit(line, position)) return position
      }
    }
  }

  /** Has these lines in the place of all others; whoever dies on the way leaves the old file or the new one. */
  replaceWith(lines: readonly T[]): void {
    const next = `${this.file}.next`
    writeFileSync(next, textOf(lines), { mode: 0o600 })
    renameSync(next, this.file)
    if (this.fd !== undefined) closeSync(this.fd)
    this.fd = openSync(this.file, 'r+')
    this.recover(() => {})
  }

  close(): void {
    if (this.fd !== undefined) closeSync(this.fd)
    this.fd = undefined
    this.isClosed = true
  }

  /** Closes and forgets everything. */
  remove(): void {
    this.close()
    rmSync(this.file, { force: true })
  }

  private recover(visit: (line: T) => void): void {
    this.end = this.scan(0, (line) => {
      visit(line)
      return true
    })
    if (this.fd !== undefined) ftruncateSync(this.fd, this.end)
  }

  private parse(text: string, offset: number): T {
    try {
      return this.schema.parse(JSON.parse(text))
    } catch {
      throw new JournalError(`${this.file} is damaged at byte ${offset}: move it away to start without its records`)
    }
  }
}

function textOf(lines: readonly unknown[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('')
}

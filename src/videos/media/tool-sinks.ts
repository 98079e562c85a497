import type { ToolSink } from './run-tool.js'

/** Drops what comes, until it is too much. */
export class NoiseLimit implements ToolSink {
  private bytes = 0

  constructor(private readonly maxBytes: number) {}

  write(chunk: Buffer): boolean {
    this.bytes += chunk.length
    return this.bytes <= this.maxBytes
  }
}

/** Gathers what comes, until it is too much. */
export class BoundedBytes implements ToolSink {
  private readonly chunks: Buffer[] = []
  private length = 0

  constructor(private readonly maxBytes: number) {}

  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }

  write(chunk: Buffer): boolean {
    this.length += chunk.length
    if (this.length > this.maxBytes) return false
    this.chunks.push(chunk)
    return true
  }
}

import { DecodeError } from './decode-error.js'

/** Reads one value after the other and never beyond the end. Big-endian unless the name says otherwise. */
export class ByteReader {
  private at: number

  /** @param end exclusive */
  constructor(
    private readonly bytes: Buffer,
    start = 0,
    private readonly end = bytes.length,
  ) {
    this.at = start
  }

  get offset(): number {
    return this.at
  }

  get left(): number {
    return this.end - this.at
  }

  uint8(): number {
    return this.bytes.readUInt8(this.take(1))
  }

  uint16(): number {
    return this.bytes.readUInt16BE(this.take(2))
  }

  int16(): number {
    return this.bytes.readInt16BE(this.take(2))
  }

  uint32(): number {
    return this.bytes.readUInt32BE(this.take(4))
  }

  int32(): number {
    return this.bytes.readInt32BE(this.take(4))
  }

  /** As a double holds it: exact up to 2^53. */
  uint64(): number {
    const at = this.take(8)
    return this.bytes.readUInt32BE(at) * 0x1_0000_0000 + this.bytes.readUInt32BE(at + 4)
  }

  bigUint64(): bigint {
    return this.bytes.readBigUInt64BE(this.take(8))
  }

  uint16Le(): number {
    return this.bytes.readUInt16LE(this.take(2))
  }

  int16Le(): number {
    return this.bytes.readInt16LE(this.take(2))
  }

  uint32Le(): number {
    return this.bytes.readUInt32LE(this.take(4))
  }

  int32Le(): number {
    return this.bytes.readInt32LE(this.take(4))
  }

  /** Not a copy: valid as long as the frame is. */
  slice(length: number): Buffer {
    const at = this.take(length)
    return this.bytes.subarray(at, at + length)
  }

  /** @throws DecodeError `bad_structure` when something is left */
  assertAtEnd(): void {
    if (this.left !== 0) throw new DecodeError('bad_structure', `${this.left} bytes are left over`)
  }

  private take(length: number): number {
    const { at } = this
    if (at + length > this.end)
      throw new DecodeError('bad_structure', `${length} bytes are wanted where ${this.end - at} are left`)
    this.at = at + length
    return at
  }
}

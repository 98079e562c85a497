/** Gathers values one after the other; big-endian unless the name says otherwise. */
export class ByteWriter {
  private readonly parts: Buffer[] = []

  uint(value: number, bytes: number): this {
    return this.with(bytes, (part) => part.writeUIntBE(value, 0, bytes))
  }

  int(value: number, bytes: number): this {
    return this.with(bytes, (part) => part.writeIntBE(value, 0, bytes))
  }

  uintLe(value: number, bytes: number): this {
    return this.with(bytes, (part) => part.writeUIntLE(value, 0, bytes))
  }

  intLe(value: number, bytes: number): this {
    return this.with(bytes, (part) => part.writeIntLE(value, 0, bytes))
  }

  bigUint64(value: bigint): this {
    return this.with(8, (part) => part.writeBigUInt64BE(value))
  }

  bytes(...all: readonly Uint8Array[]): this {
    for (const one of all) this.parts.push(Buffer.from(one))
    return this
  }

  toBuffer(): Buffer {
    return Buffer.concat(this.parts)
  }

  private with(bytes: number, write: (part: Buffer) => void): this {
    const part = Buffer.alloc(bytes)
    write(part)
    this.parts.push(part)
    return this
  }
}

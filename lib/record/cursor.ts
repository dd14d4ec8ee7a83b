/**
 * A payload breaks docs/reference/record-format.md (K3). Never leaves lib/record: the renderer
 * counts it.
 */
export class DamagedRecord extends Error {}

/**
 * Reads a payload from front to back, never beyond its end. Every step throws DamagedRecord where
 * there is too little left.
 */
export class Cursor {
  constructor(
    private readonly bytes: Buffer,
    private at: number,
    private readonly end: number
  ) {}

  get left(): number {
    return this.end - this.at
  }

  u8(): number {
    return this.bytes.readUInt8(this.advance(1))
  }

  u16(): number {
    return this.bytes.readUInt16LE(this.advance(2))
  }

  u32(): number {
    return this.bytes.readUInt32LE(this.advance(4))
  }

  u64(): bigint {
    return this.bytes.readBigUInt64LE(this.advance(8))
  }

  i32(): number {
    return this.bytes.readInt32LE(this.advance(4))
  }

  f64(): number {
    return this.bytes.readDoubleLE(this.advance(8))
  }

  /** A view of the next `length` bytes. */
  take(length: number): Buffer {
    const start = this.advance(length)
    return this.bytes.subarray(start, start + length)
  }

  /** @throws DamagedRecord if bytes are left over. */
  finish(): void {
    if (this.left > 0) throw new DamagedRecord(`${this.left} bytes are left over`)
  }

  private advance(length: number): number {
    if (length > this.left) throw new DamagedRecord(`${length} bytes are claimed where ${this.left} are left`)
    const start = this.at
    this.at += length
    return start
  }
}
